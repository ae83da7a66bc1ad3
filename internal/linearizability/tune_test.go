package linearizability
import ("testing";"time";"math/rand/v2";"slices")
func TestTune(t *testing.T) {
 for _, ls := range []bool{true,false} {
 for _, v := range []struct{g,s int}{{1,1},{1,20},{1,200},{2,50},{4,50}} {
  gos, spin, lockstep = v.g, v.s, ls
  var ds []time.Duration; total:=0
  for range 9 { b:=time.Now(); for { total++; if record(rand.Uint64(), newBrokenTwin).violation()!="" || time.Since(b)>1500*time.Millisecond {break} }; ds=append(ds,time.Since(b).Round(time.Millisecond)) }
  slices.Sort(ds); o:=0; b:=time.Now(); for range 2000 { o+=record(rand.Uint64(), newSessionMap).overlaps() }
  t.Log(ls, v, "median", ds[4], "max", ds[8], "hist/found", total/9, "overlap", float64(o)/2000, time.Since(b)/2000)
 }}
}
