"""``python -m benchmarks.table``: writes the last results into benchmarks/README.md."""

import json
from pathlib import Path

HERE = Path(__file__).parent
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def table(lines: list[dict[str, object]]) -> str:
    """The figures as a Markdown table under a line that names the machine."""
    machine = next(line for line in lines if line["figure"] == "machine")
    named = "{cpu}, {cores} cores, Python {python}, SQLite {sqlite}, {system}."
    rows = [
        named.format(**machine),
        "",
        "| figure | values |",
        "|---|---|",
    ]
    for line in lines:
        if line is machine:
            continue
        values = ", ".join(
            f"{name.replace('_', ' ')} {value:,}"
            for name, value in line.items()
            if name != "figure" and isinstance(value, float)
        )
        rows.append(f"| {line['figure']} | {values} |")
    return "\n".join(rows)


def main() -> None:
    """Replace what stands between the two marks."""
    results = (HERE / "results" / "latest.jsonl").read_text().splitlines()
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    made = table([json.loads(line) for line in results])
    readme.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}")


if __name__ == "__main__":
    main()
