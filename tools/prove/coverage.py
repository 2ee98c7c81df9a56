"""Which lines and branches of the core its own tests reach. Each unreached one is explained here, or the step fails."""

import os

# A line that no test can reach, by its text, and why.
EXPLAINED = {
    ("policy.rs", "const fn rule("): "evaluated by the compiler, for a constant",
    ("policy.rs", "Rule { first, last, verdict, meaning }"): "evaluated by the compiler, for a constant",
    ("json_heartbeat.rs", "fn expecting("): "the visitor takes every kind of JSON value: none is unexpected",
    ("json_heartbeat.rs", 'f.write_str("a timestamp")'): "the visitor takes every kind of JSON value: none is unexpected",
    ("json_pointer.rs", "fn expecting("): "the visitors take every kind of JSON value, and a name is a string: none is unexpected",
    ("json_pointer.rs", 'f.write_str("JSON")'): "the visitor takes every kind of JSON value: none is unexpected",
    ("json_pointer.rs", 'f.write_str("a name")'): "the name of a JSON object is a string: none is unexpected",
    ("json_rule.rs", "fn expecting("): "the visitor takes every kind of JSON value: none is unexpected",
    ("json_rule.rs", 'f.write_str("JSON")'): "the visitor takes every kind of JSON value: none is unexpected",
    ("json_value.rs", "fn expecting("): "the visitor takes every kind of JSON value: none is unexpected",
    ("json_value.rs", 'f.write_str("JSON")'): "the visitor takes every kind of JSON value: none is unexpected",
    ("connection.rs", "if let Login::Message { send, .. } ="): "the machine orders a login message only if the settings have one",
    ("dialect/exchange.rs", "if let Some((_, speech)) = &mut self.0 {"): "not called without a dialect; the type does not say so",
    ("snapshot.rs", "None => serializer.serialize_none(),"): "serde skips a round trip that is not there",
    ("transitions.rs", "Self::Idle | Self::Closed(_) => None,"): "no deadline, so no Tick that is due; the match names every state",
    ("transitions.rs", "if let Some(heartbeat) = &mut self.heartbeat {"): "only a heartbeat asks a dialect for a ping",
    ("ready.rs", "let Some(heartbeat) = &mut self.heartbeat else {"): "not called if the heartbeat is off",
    ("ready.rs", "HeartbeatKind::Off => return,"): "not called if the heartbeat is off; the match names every kind",
}


def prove(root, work, quick, shell, needs, failed):
    needs("nightly", "cargo-llvm-cov", "llvm")
    report = work / "coverage.lcov"
    # A function that the compiler inlines into another crate, such as a test, has no counters there.
    shell(["cargo", "+nightly", "llvm-cov", "--branch", "--locked", "-p", "gateway-core", "--tests", "--lcov",
           "--output-path", str(report)], PROPTEST_CASES=os.environ.get("PROPTEST_CASES", "64"),
          RUSTFLAGS="-Zinline-mir=no -Zcross-crate-inline-threshold=never")
    lines, branches, unreached = read(report)
    unexplained = [place for place in unreached if explanation(place) is None]
    for file, number, text in unexplained:
        print(f"    not reached and not explained: {file}:{number}: {text}")
    if unexplained:
        raise failed(f"{len(unexplained)} lines or branches are not reached and not explained")
    used = {explanation(place) for place in unreached}
    if idle := [f"{file}: {text}" for file, text in EXPLAINED if (file, text) not in used]:
        raise failed(f"these lines are reached or gone, and need no explanation: {idle}")
    return (f"{lines[0]} of {lines[1]} lines ({100 * lines[0] / lines[1]:.2f} %), {branches[0]} of {branches[1]} branches "
            f"({100 * branches[0] / branches[1]:.2f} %); each of the others is explained in tools/prove/coverage.py")


def explanation(place):
    """The key of EXPLAINED that matches this place, or None."""
    file, _, text = place
    return next(((where, start) for where, start in EXPLAINED if file == where and text.startswith(start)), None)


def read(report):
    """Counts reached and all lines and branches, and lists unreached places. Unit tests in a file do not count."""
    lines, branches, unreached = [0, 0], [0, 0], {}
    file, source, end = "", [], 0
    for entry in report.read_text().splitlines():
        kind, _, rest = entry.partition(":")
        if kind == "SF":
            file = rest.rpartition("/src/")[2]
            with open(rest, encoding="utf-8") as opened:
                source = opened.read().splitlines()
            tests = (at for at, pair in enumerate(zip(source, source[1:]), 1) if pair == ("#[cfg(test)]", "mod tests {"))
            end = next(tests, len(source) + 1)
        elif kind in ("DA", "BRDA"):
            fields = rest.split(",")
            number, count = int(fields[0]), fields[-1] if kind == "BRDA" else fields[1]
            if number >= end:
                continue
            counted, is_reached = (lines if kind == "DA" else branches), count not in ("0", "-")
            counted[0] += is_reached
            counted[1] += 1
            if not is_reached:
                text = source[number - 1].strip()
                if text == "return;":  # it has many twins: the line before says which it is
                    text = f"{source[number - 2].strip()} {text}"
                unreached[(file, number, text)] = True
    # The closing braces of what is explained have no text of their own.
    return lines, branches, [place for place in unreached if place[2] not in ("}", "})", "};")]
