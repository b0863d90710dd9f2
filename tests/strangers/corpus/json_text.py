"""Text that is not JSON, JSON that is not a command, and JSON that only looks wrong (§2.4, §7)."""

from tests.strangers.corpus.case import Case, both, init

SUB = '{"cmd":"sub","action":"weather:x"}'
INIT = '{"cmd":"pub","event":"init","eventId":"$E","taskId":"$T","action":"weather:x","payload":'
UNKNOWN = '{"cmd":"sub","action":"weather:x","x":'

#: Not JSON at all.
BAD = [
    "", " ", "\t\r\n ", "\n", "\0", "\x7f", "\ufeff", "\u00a0", "\u2028", "�",
    "hello", "undefined", "nil", "None", "True", "FALSE", "TRUE", "Null", "nulll", "tru",
    "NaN", "-NaN", "Infinity", "-Infinity", "+Infinity", "inf", "1e", "1.e1", ".1", "01", "-01",
    "+1", "--1", "0x10", "1_000", "1,000", "٣", "１", "'a'", "`a`", '"', '"a', 'a"', '"\\"',
    '"\\x41"', '"\\u12"', '"\\u{41}"', '"\\uD83D"', '"\\uDE00"', '"\\uD83D\\uD83D"', '"\t"', '"\n"',
    '"\0"', '"\x1f"', "[", "]", "{", "}", "[1", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[1;2]", "[}",
    "{]", '{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', '{"a" 1}', '{"a"=1}', "{a:1}", "{'a':1}",
    "{1:1}", "{null:1}", '{"a":1 "b":2}', '{"a":1}}', "(1)", "<x/>", "// c\n{}", "/* c */{}",
    "# c\n{}", "{}//", "GET / HTTP/1.1\r\n\r\n", "cmd=sub&action=weather:x", "---\ncmd: sub",
]  # fmt: skip

#: JSON, and not a command: not an object, or without a ``cmd`` that is known.
NO_COMMAND = [
    "0", "-0", "1e999", "-1.5E-3", "true", "false", "null", '""', '"{}"', '"sub"', "[]", "[{}]",
    '[{"cmd":"sub","action":"weather:x"}]', '"\\u0000"', "{}", " {} ", '{"":0}', '{"cmd":null}',
    '{"cmd":0}', '{"cmd":true}', '{"cmd":["sub"]}', '{"cmd":{"sub":1}}', '{"cmd":""}',
    '{"cmd":"SUB"}', '{"cmd":"Sub"}', '{"cmd":" sub"}', '{"cmd":"sub "}', '{"cmd":"sub\\n"}',
    '{"cmd":"sub\\u0000"}', '{"cmd":"ѕub"}', '{"cmd":"ｓｕｂ"}', '{"Cmd":"sub"}', '{"CMD":"sub"}',
    '{"cmd ":"sub"}', '{"cmd\\u0000":"sub"}', '{"command":"sub"}', '{"type":"sub"}',
    '{"cmd":"publish"}', '{"cmd":"subscribe"}', '{"cmd":"init"}', '{"cmd":"ping"}',
    '{"cmd":"auth"}', '{"cmd":"welcome"}', '{"cmd":"resumes"}', '{"cmd":"__proto__"}',
    '{"cmd":"constructor"}', '{"cmd":"toString"}', '{"cmd":"__class__"}', '{"cmd":"sub","cmd":1}',
    '{"cmd":"sub","cmd":null}', '{"__proto__":{"cmd":"sub","action":"weather:x"}}',
    '{"status":"ok","event":"init"}', '{"jsonrpc":"2.0","method":"sub"}',
]  # fmt: skip

#: Values of an unknown field, and of a payload, that are no JSON.
BAD_VALUES = [
    "", "NaN", "Infinity", "-Infinity", "-", "- 1", "1.", "1.e", "1e+", "00", "0123", "undefined",
    "[1,]", '{"a":1,}', '{"a":1', '"\\ud800"', '"\\udfff"', '"\\ud800\\u0041"', '{"\\ud800":1}',
    '["ok",{"deep":["\\udc00"]}]', '"\x01"', '"\\a"', "tRue", "'1'", "1 1", "1}{", "\ufeff1",
]  # fmt: skip

#: Values that look wrong and are not: they reach the other side as they came (§4.1).
GOOD_VALUES = [
    "0", "-0", "-0.0", "1E400", "-1e-400", "1e999999999", "9" * 5_000, "-" + "9" * 5_000,
    "0." + "3" * 5_000, "123456789012345678901234567890.5e-30", '""', '"\\u0000"', '"\\/"',
    '"\\uD83D\\uDE00"', '"\U0001f600"', '"\ufeff"', '"\uffff"', '"\U0010ffff"', '"\x7f\u2028\u2029"',
    '"NaN"', '"\\ud83d\\ude00\\\\ud800"', "null", "false", "[]", "{}", '{"":""}', '{"a":1,"a":2}',
    '{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{}}}', '{"toString":1}',
    '{"hasOwnProperty":null}', '{"__class__":"x","__dict__":{}}', '{"cmd":"cancel","taskId":"x"}',
    '"]]]]}}}}"', '"{{{{[[[["', " \t\r\n1 \t\r\n", "[ 1 , 2 ]", '"</script><!--"', '"\' OR 1=1 --"',
    '"%s%n{0}${x}"', '"' + "x" * 10_000 + '"', "[" + "1," * 2_000 + "1]",
]  # fmt: skip


def _nested(levels: int, opened: str = "[", closed: str = "]") -> str:
    """This deep, the frame's own braces being the first."""
    return opened * (levels - 1) + "1" + closed * (levels - 1)


CASES: list[Case] = [
    *(both(f"not JSON {text!r:.30}", text, "bad-json") for text in BAD),
    *(both(f"no command {text!r:.50}", text, "bad-command") for text in NO_COMMAND),
    *(both(f"unknown field {v!r:.30}", UNKNOWN + v + "}", "bad-json") for v in BAD_VALUES),
    *(both(f"payload {v!r:.30}", INIT + v + "}", "bad-json") for v in BAD_VALUES),
    *(both(f"unknown field {v!r:.30}", UNKNOWN + v + "}", "ok") for v in GOOD_VALUES),
    *(init(f"payload {v!r:.30}", INIT + v + "}", "init") for v in GOOD_VALUES),
    # §2.4: one object a frame, text or binary
    both("trailing object", SUB + SUB, "bad-json"),
    both("trailing comma", SUB + ",", "bad-json"),
    both("trailing NUL", SUB + "\0", "bad-json"),
    both("two lines of JSON", SUB + "\n" + SUB, "bad-json"),
    both("BOM before a frame", "\ufeff" + SUB, "bad-json"),
    both("BOM behind a frame", SUB + "\ufeff", "bad-json"),
    both("no-break space before a frame", "\u00a0" + SUB, "bad-json"),
    both("form feed before a frame", "\f" + SUB, "bad-json"),
    both("white space around a frame", " \t\r\n" + SUB + " \t\r\n", "ok"),
    both("white space all over", '{ "cmd" : "sub" ,\n"action" :\t"weather:x" }', "ok"),
    both("escaped names", '{"\\u0063md":"\\u0073ub","act\\u0069on":"weather\\u003ax"}', "ok"),
    both("binary", SUB.encode(), "ok"),
    both("binary, empty", b"", "bad-json"),
    both("binary, BOM", b"\xef\xbb\xbf" + SUB.encode(), "bad-json"),
    both("binary, UTF-16", SUB.encode("utf-16"), "bad-json"),
    both("binary, UTF-32", SUB.encode("utf-32-le"), "bad-json"),
    both("binary, Latin-1", '{"cmd":"sub","action":"weather:x","x":"ä"}'.encode("latin-1"), "bad-json"),
    both("binary, half a character", SUB.encode() + b"\xc3", "bad-json"),
    both("binary, a character overlong", b'{"cmd":"sub","action":"weather:x","x":"\xc0\xaf"}', "bad-json"),
    both("binary, a surrogate", b'{"cmd":"sub","action":"weather:x","x":"\xed\xa0\x80"}', "bad-json"),
    both("binary, over U+10FFFF", b'{"cmd":"sub","action":"weather:x","x":"\xf4\x90\x80\x80"}', "bad-json"),
    both("binary, gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "bad-json"),
    both("binary, CBOR", b"\xa1ccmdcsub", "bad-json"),
    both("binary, msgpack", b"\x81\xa3cmd\xa3sub", "bad-json"),
    both("binary, all bytes", bytes(range(256)), "bad-json"),
    # §7: 64 levels, the frame's own braces being the first
    both("arrays of 64 levels", UNKNOWN + _nested(64) + "}", "ok"),
    both("arrays of 65 levels", UNKNOWN + _nested(65) + "}", "bad-json"),
    both("objects of 64 levels", UNKNOWN + _nested(64, '{"a":', "}") + "}", "ok"),
    both("objects of 65 levels", UNKNOWN + _nested(65, '{"a":', "}") + "}", "bad-json"),
    both("30,000 levels", UNKNOWN + _nested(30_000) + "}", "bad-json"),
    both("60,000 brackets opened", "[" * 60_000, "bad-json"),
    both("60,000 brackets closed", "]" * 60_000, "bad-json"),
    both("12,000 objects opened", '{"a":' * 12_000, "bad-json"),
    both("60,000 brackets side by side", UNKNOWN + "[" + "[]," * 20_000 + "[]]}", "ok"),
    both("brackets in a string", UNKNOWN + '"' + "[" * 5_000 + '"}', "ok"),
    both("brackets behind an escaped quote", UNKNOWN + '"\\"' + "[" * 5_000 + '"}', "ok"),
    both("brackets behind an escaped backslash", UNKNOWN + '"\\\\",' + '"y":' + _nested(65) + "}", "bad-json"),
    init("payload of 64 levels", INIT + _nested(64) + "}", "init"),
    both("payload of 65 levels", INIT + _nested(65) + "}", "bad-json"),
    # §4.1: of two members with one name, the last one counts
    both("the last cmd counts", '{"cmd":"x","action":"weather:x","cmd":"sub"}', "ok"),
    both("the last action counts, of the wrong type before", '{"cmd":"sub","action":7,"action":"weather:x"}', "ok"),
    both("the last action counts, of the wrong type behind", '{"cmd":"sub","action":"weather:x","action":7}', "bad-field"),
    init("the last payload counts", INIT + '1,"payload":2}', "init"),
    init("the last taskId counts", INIT + '1,"taskId":"a b","taskId":"$T"}', "init"),
    both("the last taskId counts, and cannot be used", INIT + '1,"taskId":"a b"}', "bad-field"),
    # a thousand of anything
    both("1,000 unknown fields", '{"cmd":"sub","action":"weather:x",' + ",".join(f'"f{n}":{n}' for n in range(1_000)) + "}", "ok"),
    both("1,000 equal fields", '{"cmd":"sub","action":"weather:x",' + ",".join(['"f":1'] * 1_000) + "}", "ok"),
    both("a field name of 10,000 characters", '{"cmd":"sub","action":"weather:x","' + "f" * 10_000 + '":1}', "ok"),
    both("a command of 10,000 characters", '{"cmd":"' + "s" * 10_000 + '"}', "bad-command"),
]  # fmt: skip
