source = """
def tool(x):
    return x.missing

tool(3)
"""
exec(compile(source, "<tool>", "exec"), {})
