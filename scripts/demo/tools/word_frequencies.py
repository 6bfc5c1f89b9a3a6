import collections
import re


def execute(env, args):
    words = re.findall(r"[a-z]{4,}", args["text"].lower())
    env["words_seen"] = env.get("words_seen", 0) + len(words)
    return collections.Counter(words).most_common(args["top"])
