use std::sync::Arc;

use super::{Cursors, Listed, PageError, Place};
use crate::sealed::{NotOurs, Sealer};

const TOOLS: Listed<'_> = Listed {
    principal: "alice",
    method: "tools/list",
    generation: 3,
};

fn cursors() -> Cursors {
    Cursors::new(Arc::new(Sealer::new().unwrap()))
}

fn places() -> [Place; 5] {
    let upstream = |link, cursor: &str| Place::Upstream {
        link,
        cursor: cursor.to_owned(),
    };
    [
        Place::Offset(0),
        Place::Offset(u64::MAX),
        upstream(7, ""),
        upstream(0, "page \u{1F600} 2"),
        upstream(u64::MAX, "\u{0}"),
    ]
}

#[test]
fn a_place_is_found_again_as_often_as_one_likes() {
    let cursors = cursors();
    for place in places() {
        let text = cursors.seal(&TOOLS, &place).unwrap();
        for _ in 0..3 {
            assert_eq!(cursors.open(&TOOLS, &text), Ok(place.clone()));
        }
    }
}

#[test]
fn a_cursor_opens_no_other_list_and_nobody_elses() {
    let cursors = cursors();
    let others = [
        Listed {
            principal: "bob",
            ..TOOLS
        },
        Listed {
            method: "prompts/list",
            ..TOOLS
        },
        Listed {
            generation: 4,
            ..TOOLS
        },
        Listed {
            principal: "alicetools",
            method: "/list",
            ..TOOLS
        },
    ];
    for place in places() {
        let text = cursors.seal(&TOOLS, &place).unwrap();
        for other in &others {
            assert_eq!(cursors.open(other, &text), Err(NotOurs), "{other:?}");
        }
    }
}

#[test]
fn a_cursor_with_any_byte_changed_or_cut_is_refused() {
    let cursors = cursors();
    for place in places() {
        let text = cursors.seal(&TOOLS, &place).unwrap();
        for at in 0..text.len() {
            for bit in 0..7 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                if let Ok(changed) = String::from_utf8(bytes) {
                    assert_eq!(cursors.open(&TOOLS, &changed), Err(NotOurs));
                }
            }
            assert_eq!(cursors.open(&TOOLS, text.split_at(at).0), Err(NotOurs));
        }
    }
}

#[test]
fn pages_are_disjoint_together_are_the_list_and_the_last_says_so() {
    let cursors = cursors();
    let items: Vec<u32> = (0..10).collect();
    for size in [0, 1, 3, 5, 9, 10, 11] {
        let (mut all, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let (page, next) = cursors
                .page(&TOOLS, (&items, size), cursor.as_deref())
                .unwrap();
            assert!(!page.is_empty() && page.len() <= size.max(1), "{size}");
            all.extend_from_slice(page);
            pages += 1;
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(all, items, "{size}");
        assert_eq!(pages, items.len().div_ceil(size.max(1)), "{size}");
    }
    assert_eq!(
        cursors.page(&TOOLS, (&[0u8; 0], 5), None),
        Ok((&[][..], None))
    );
}

#[test]
fn the_empty_cursor_is_one_and_not_ours() {
    let cursors = cursors();
    let refused = Err(PageError::Cursor(NotOurs));
    assert_eq!(cursors.page(&TOOLS, (&[1, 2], 1), Some("")), refused);
    let beyond = cursors.seal(&TOOLS, &Place::Offset(3)).unwrap();
    assert_eq!(cursors.page(&TOOLS, (&[1, 2], 1), Some(&beyond)), refused);
    let theirs = Place::Upstream {
        link: 0,
        cursor: "0".to_owned(),
    };
    let theirs = cursors.seal(&TOOLS, &theirs).unwrap();
    assert_eq!(cursors.page(&TOOLS, (&[1, 2], 1), Some(&theirs)), refused);
}
