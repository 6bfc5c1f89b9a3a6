# Holds the namespaces of one engine: started as process 1 of new PID and mount namespaces.
# Ends when its standard input does, that is with the process that started it, however that ends;
# and with process 1 the kernel ends every other process in the namespace and drops its mounts.

# Fixed places of containerd and dockerd. This engine has its own, for otherwise dockerd would use the
# machine's containerd if it saw its socket, and shims and plug-ins would leave theirs behind.
for folder in /run/containerd /run/docker; do
  mkdir -p "$folder"
  mount -t tmpfs none "$folder" || exit 1
done

exec 3<&0
cat <&3 >/dev/null &
echo ready
# Returns when `cat` has ended; until then it reaps what is orphaned to process 1.
wait
