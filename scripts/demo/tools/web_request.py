import urllib.request


def execute(env, args):
    with urllib.request.urlopen(args["url"], timeout=5) as response:
        return response.status
