use super::{Scanner, Smuggled};

const MOST: usize = 65_536;

fn read(text: &[u8]) -> Result<bool, (usize, Smuggled)> {
    let mut scanner = Scanner::new(MOST);
    scanner.read(text)?;
    Ok(scanner.is_between())
}

/// What is wrong, however the bytes are cut; and the byte it is found at.
fn wrong(text: &str) -> (Smuggled, u8) {
    let (at, wrong) = read(text.as_bytes()).expect_err(text);
    for size in [1, 2, 3, 7] {
        let mut scanner = Scanner::new(MOST);
        let mut passed = 0;
        for part in text.as_bytes().chunks(size) {
            match scanner.read(part) {
                Ok(()) => passed += part.len(),
                Err((good, how)) => {
                    assert_eq!(
                        (passed + good, how),
                        (at, wrong),
                        "in parts of {size}: {text}"
                    );
                    break;
                }
            }
        }
    }
    (wrong, text.as_bytes()[at])
}

fn head(lines: &str) -> String {
    format!("POST /mcp HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn honest_requests_of_every_framing_pass_one_behind_the_other() {
    let requests = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /\u{7e}x?y=%20 HTTP/1.0\r\n\r\n".to_owned(),
        head(""),
        head("Content-Length: 0\r\n"),
        format!(
            "{}hello\nyou\r",
            head("content-length:10 \r\nX: \u{e4}\t\r\n")
        ),
        format!(
            "{}5\r\na\r\n\r\n\r\n00a\r\n0123456789\r\n0\r\n\r\n",
            head("Transfer-Encoding: Chunked\r\n")
        ),
        format!("{}0\r\n\r\n", head("TRANSFER-ENCODING:chunked\r\n")),
        format!("\r\n\r\n{}x", head("Content-Length: 1\r\n")),
    ];
    for request in &requests {
        assert_eq!(read(request.as_bytes()), Ok(true), "{request}");
        for cut in 1..request.len() - 1 {
            let (begun, _) = request.as_bytes().split_at(cut);
            let is_between = begun.ends_with(b"\r\n") && begun.iter().all(|b| b"\r\n".contains(b));
            assert_eq!(read(begun), Ok(is_between), "{cut} of {request}");
        }
    }
    let all = requests.concat();
    for size in [1, 2, 5, 64, all.len()] {
        let mut scanner = Scanner::new(MOST);
        for part in all.as_bytes().chunks(size) {
            scanner.read(part).unwrap();
        }
        assert!(scanner.is_between(), "{size}");
    }
}

/// Lines that say the length of a body in no way, or in two.
const LENGTHS: &[(&str, Smuggled)] = &[
    (
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        Smuggled::ContentLength,
    ),
    (
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        Smuggled::ContentLength,
    ),
    ("Content-Length: 1, 1\r\n", Smuggled::ContentLength),
    ("Content-Length: +1\r\n", Smuggled::ContentLength),
    ("Content-Length: -0\r\n", Smuggled::ContentLength),
    ("Content-Length: 0x1\r\n", Smuggled::ContentLength),
    ("Content-Length: 1 1\r\n", Smuggled::ContentLength),
    ("Content-Length:\r\n", Smuggled::ContentLength),
    ("Content-Length: \u{664}\r\n", Smuggled::ContentLength),
    (
        "Content-Length: 18446744073709551616\r\n",
        Smuggled::ContentLength,
    ),
    (
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        Smuggled::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        Smuggled::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        Smuggled::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        Smuggled::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunked, identity\r\n",
        Smuggled::TransferEncoding,
    ),
    (
        "Transfer-Encoding: gzip, chunked\r\n",
        Smuggled::TransferEncoding,
    ),
    (
        "Transfer-Encoding: \"chunked\"\r\n",
        Smuggled::TransferEncoding,
    ),
    ("Transfer-Encoding: chunke\r\n", Smuggled::TransferEncoding),
    ("Transfer-Encoding:\r\n", Smuggled::TransferEncoding),
    (
        "Transfer-Encoding: xchunked\r\n",
        Smuggled::TransferEncoding,
    ),
];

#[test]
fn f05_two_lengths_or_a_length_beside_chunks_are_wrong_before_the_head_ends() {
    for (lines, how) in LENGTHS {
        assert_eq!(
            wrong(&format!("{}0\r\n\r\n", head(lines))),
            (*how, b'\n'),
            "{lines}"
        );
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(wrong(old), (Smuggled::TransferEncoding, b'\n'));
}

#[test]
fn f05_folded_lines_blanks_before_colons_and_bare_line_ends_are_wrong() {
    let cases = [
        ("X: a\r\n b\r\n", Smuggled::Field, b'\n'),
        ("X: a\r\n\tb: c\r\n", Smuggled::Field, b'\n'),
        ("Content-Length : 1\r\n", Smuggled::Field, b'\n'),
        ("Content-Length\t: 1\r\n", Smuggled::Field, b'\n'),
        (": a\r\n", Smuggled::Field, b'\n'),
        ("X\r\n", Smuggled::Field, b'\n'),
        ("X Y: a\r\n", Smuggled::Field, b'\n'),
        ("X\u{0}: a\r\n", Smuggled::Field, b'\n'),
        ("X: a\u{0}b\r\n", Smuggled::Field, b'\n'),
        ("X: a\u{7f}b\r\n", Smuggled::Field, b'\n'),
        ("X: a\u{b}b\r\n", Smuggled::Field, b'\n'),
        ("\u{e9}: a\r\n", Smuggled::Field, b'\n'),
        ("X: a\nY: b\r\n", Smuggled::LineEnd, b'\n'),
        ("X: a\n\r\n", Smuggled::LineEnd, b'\n'),
        ("X: a\rContent-Length: 5\r\n", Smuggled::LineEnd, b'C'),
        ("X: a\r\r\n", Smuggled::LineEnd, b'\r'),
        ("\n", Smuggled::LineEnd, b'\n'),
    ];
    for (lines, how, at) in cases {
        assert_eq!(wrong(&head(lines)), (how, at), "{lines:?}");
    }
    assert_eq!(
        wrong("\nGET / HTTP/1.1\r\n\r\n"),
        (Smuggled::LineEnd, b'\n')
    );
}

#[test]
fn f05_a_request_line_says_three_things_and_nothing_else() {
    let lines = [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / http/1.1",
        "GET / HTTP/01.1",
        "G(T / HTTP/1.1",
        "GET /\u{e4} HTTP/1.1",
        "GET /\u{0} HTTP/1.1",
        "GET  HTTP/1.1",
        "PRI * HTTP/2.0",
        "\u{16}\u{3}\u{1}",
    ];
    for line in lines {
        let found = wrong(&format!("{line}\r\nHost: a\r\n\r\n"));
        assert_eq!(found, (Smuggled::RequestLine, b'\n'), "{line}");
    }
}

#[test]
fn f05_chunks_have_a_size_and_nothing_beside_it() {
    let cases = [
        "5;x=y\r\n",
        "5 \r\n",
        " 5\r\n",
        "5\n",
        "\r\n",
        "0x5\r\n",
        "+5\r\n",
        "g\r\n",
        "5\rX",
        "1000000000000000\r\n",
        "1\r\nab",
        "1\r\na\n",
        "1\r\na\rX",
        "0\r\nTrailer: x\r\n\r\n",
        "0\r\n\n",
        "0\r\n\rX",
        "0\n\r\n",
        "1\r\na\r\n;\r\n",
    ];
    for chunks in cases {
        let found = wrong(&format!(
            "{}{chunks}",
            head("Transfer-Encoding: chunked\r\n")
        ));
        assert_eq!(found.0, Smuggled::Chunk, "{chunks:?}");
    }
}

#[test]
fn a_head_has_an_end() {
    let long = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(MOST));
    let (at, how) = read(long.as_bytes()).unwrap_err();
    assert_eq!((at, how), (MOST, Smuggled::Long));
    let blank = "\r\n".repeat(MOST);
    assert_eq!(read(blank.as_bytes()).unwrap_err(), (MOST, Smuggled::Long));
    // A body counts for nothing, and neither does the head before.
    let mut scanner = Scanner::new(100);
    let body = format!(
        "POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n{}",
        "\n".repeat(5_000)
    );
    for _ in 0..10 {
        scanner.read(body.as_bytes()).unwrap();
    }
    assert!(scanner.is_between());
}

#[test]
fn what_is_wrong_is_found_before_a_reader_that_takes_bare_line_ends_sees_the_end_of_a_head() {
    // Only the part that is passed on matters to what is behind.
    let text = "GET / HTTP/1.1\nHost: a\n\nGET /secret HTTP/1.1\r\n\r\n";
    let (passed, _) = read(text.as_bytes()).unwrap_err();
    assert_eq!(text.split_at(passed).0, "GET / HTTP/1.1");
    let text =
        "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let (passed, _) = read(text.as_bytes()).unwrap_err();
    assert!(text.split_at(passed).0.ends_with("chunked\r"));
}
