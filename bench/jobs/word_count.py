import re


def execute(env, args):
    """Counts the words of a text, as an agent asks for it to see what a page is about."""
    counts = {}
    for word in re.findall(r"[a-z']+", args["text"].lower()):
        if len(word) >= args.get("shortest", 1):
            counts[word] = counts.get(word, 0) + 1
    ranking = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    env["texts_read"] = env.get("texts_read", 0) + 1
    return {"words": sum(counts.values()), "distinct": len(counts), "top": ranking[: args["top"]]}
