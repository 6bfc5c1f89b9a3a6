import signal

print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending())
for line in open("/proc/self/status"):
    if line.startswith(("Sig", "Shd")) and not line.startswith("SigQ"):
        print(line, end="")
