"""hrvd.toml(5) from docs/configuration.md, whose tables are tested against the program.  man5.py FILE > hrvd.toml.5"""

import re
import sys


def roff(text):
    """A line of Markdown: code spans bold, links as their text."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"\*\*([^*]+)\*\*", r"\\fB\1\\fR", text)
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text).replace("–", "\\(en").replace("…", "...")
    return text if not text.startswith((".", "'")) else "\\&" + text


def heading(text):
    return roff(text.strip().replace("`", ""))


def row(line):
    """A key of a table: name, variable, then meaning, default and range."""
    key, meaning, *rest = (c.strip() for c in line.strip().strip("|").replace("\\|", "\0").split("|"))
    names = key.replace("\0", "|").split("<br>")
    out = [".TP", ", ".join(roff(n) for n in names), roff(meaning.replace("\0", "|"))]
    for word, value in zip(("Default", "Range"), rest):
        if value.strip():
            out += [".br", f"{word}: {roff(value)}."]
    return out


def page(text):
    out, code, table = [], False, False
    for line in text.splitlines():
        if line.startswith("```"):
            code = not code
            out.append(".PP\n.nf\n.RS 4" if code else ".RE\n.fi")
        elif code:
            out.append("\\&" + line.replace("\\", "\\e").replace("-", "\\-"))
        elif line.startswith("# "):
            continue
        elif line.startswith("## "):
            out.append(f'.SH "{heading(line[3:]).upper() if "[" not in line else heading(line[3:])}"')
        elif line.startswith("### "):
            out.append(f'.SS "{heading(line[4:])}"')
        elif line.startswith("|"):
            if re.fullmatch(r"[|\s:-]+", line):
                table = True
            elif table:
                out += row(line)
        elif not line.strip():
            table = False
            out.append(".PP")
        elif re.match(r"(- |\d+\. )", line):
            mark, rest = line.split(" ", 1)
            out += [f'.IP "{"" if mark == "-" else mark}{chr(92) + "(bu" if mark == "-" else ""}" 4', roff(rest)]
        else:
            out.append(roff(line.strip()))
    return out


def tidy(lines):
    """No empty paragraph before a heading, none twice."""
    kept = []
    for line in lines:
        if line == ".PP" and (not kept or kept[-1] == ".PP" or kept[-1].startswith((".SH", ".SS"))):
            continue
        if line.startswith((".SH", ".SS", ".TP", ".IP", ".PP")) and kept and kept[-1] == ".PP":
            kept.pop()
        kept.append(line)
    while kept and kept[-1] == ".PP":
        kept.pop()
    return kept


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        body = tidy(page(f.read()))
    print('.TH hrvd.toml 5 "" "hrvd" "Heart-rate strap gateway"')
    print(".SH NAME\nhrvd.toml \\- configuration of the heart\\-rate strap gateway\n.SH DESCRIPTION")
    print("\n".join(body))
    print(".SH SEE ALSO\n.BR hrvd (1),\n.BR systemd.exec (5)")


main()
