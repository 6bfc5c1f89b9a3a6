"""Reads HTML and XML."""
import html
import xml.dom.minidom
import xml.etree.ElementTree as tree
from html.parser import HTMLParser


class Links(HTMLParser):
    def handle_starttag(self, tag, attrs):
        if tag == "a":
            print("link", dict(attrs)["href"])


Links().feed('<p>See <a href="/one?a=1&amp;b=2">one</a><br><a href="two">two</a>')
root = tree.fromstring("<r><i n='1'>a</i><i n='2'>b</i></r>")
print({item.get("n"): item.text for item in root.iter("i")}, html.escape("<&>"))
print(xml.dom.minidom.parseString(tree.tostring(root)).toprettyxml(indent=" "))
