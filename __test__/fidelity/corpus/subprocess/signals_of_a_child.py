import subprocess

print(subprocess.check_output(["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]).decode())
print(
    subprocess.check_output(
        ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"], restore_signals=False
    ).decode()
)
