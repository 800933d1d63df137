"""A tool server made with FastMCP, for a node to start."""
from fastmcp import FastMCP

server = FastMCP("greeter")


@server.tool
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Good morning, {name}."


server.run(show_banner=False)
