# Copies uploaded files to a directory. Owner and modes apply to these files and to new directories.
set -eu
umask 022
uploaded=@{ uploaded }@

# folder MODE PATH: creates a directory if it does not exist.
folder() {
    if [ ! -d "$2" ]; then install -d -o @{ owner }@ -g @{ group }@ -m "$1" -- "$2"; fi
}

# put NUMBER MODE PATH: copies one file.
put() {
    install -T -o @{ owner }@ -g @{ group }@ -m "$2" -- "$uploaded/$1" "$3"
}

# link TARGET PATH: creates a symbolic link.
link() {
    ln -sfn -- "$1" "$2"
    chown -h @{ owner }@:@{ group }@ -- "$2"
}

mkdir -p -- "$(dirname -- @{ destination }@)"
@% for folder in folders %@folder @{ folder.mode }@ @{ folder.path }@
@% endfor %@@% for file in files %@put @{ file.name }@ @{ file.mode }@ @{ file.path }@
@% endfor %@@% for link in links %@link @{ link.name }@ @{ link.path }@
@% endfor %@rm -rf -- "$uploaded"
