use super::{Table, shown};

#[test]
fn columns_are_aligned() {
    let mut table = Table::new(["tool", "effect"]);
    table.row(["read_file", "reads"]);
    table.row(["ü", "writes"]);
    assert_eq!(
        table.lines(),
        ["tool       effect", "read_file  reads", "ü          writes"]
    );
}

#[test]
fn text_from_elsewhere_cannot_write_on_the_terminal() {
    assert_eq!(
        shown("a\u{1b}[2Jb\n\u{202e}c\u{200b}", 80),
        "a\\u{1b}[2Jb\\u{a}\\u{202e}c\\u{200b}"
    );
    assert_eq!(shown("abcdef", 3), "abc…");
}
