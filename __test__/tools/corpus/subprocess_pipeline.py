"""A pipeline of programs, and one that takes too long."""
import subprocess

words = "pear apple fig apple pear apple".replace(" ", "\n")
first = subprocess.Popen(["sort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
second = subprocess.Popen(["uniq", "-c"], stdin=first.stdout, stdout=subprocess.PIPE, text=True)
first.stdin.write(words + "\n")
first.stdin.close()
print(second.communicate()[0].split())
try:
    subprocess.run(["sleep", "60"], timeout=0.05)
except subprocess.TimeoutExpired as error:
    print("too long", error.cmd)
print(subprocess.run("echo $((6 * 7)); exit 9", shell=True, capture_output=True).returncode)
