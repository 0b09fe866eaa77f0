use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use cmcp_json::Value;

use super::disagree;
use crate::path::{JsonPath, Replacement};

/// Takes out what the paths name: from the structured output, from text that repeats it as JSON, and
/// word for word from any other text. Returns the paths at which something was found.
///
/// What stands in its place must leave the result sound: a mark, else nothing, else `null`, whichever
/// first is. What cannot be taken out so is the error.
pub(super) fn redact(
    result: &mut Value,
    paths: &[&JsonPath],
    is_sound: &dyn Fn(&Value) -> bool,
) -> Result<Vec<String>, String> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    for with in [Replacement::Mark, Replacement::Removal, Replacement::Null] {
        let mut redaction = Redaction {
            paths,
            with,
            hit: BTreeSet::new(),
            words: BTreeSet::new(),
        };
        let mut copy = result.clone();
        if redaction.apply(&mut copy).is_ok() && is_sound(&copy) {
            if !redaction.hit.is_empty() {
                *result = copy;
            }
            return Ok(redaction.hit.into_iter().collect());
        }
    }
    let paths = paths.iter().map(ToString::to_string);
    Err(paths.collect::<Vec<_>>().join("`, `"))
}

struct Redaction<'a> {
    paths: &'a [&'a JsonPath],
    with: Replacement,
    /// The paths that named something.
    hit: BTreeSet<String>,
    /// The spellings of what was taken out.
    words: BTreeSet<String>,
}

impl Redaction<'_> {
    fn apply(&mut self, result: &mut Value) -> Result<(), BuildError> {
        for path in self.paths {
            // The whole structured output is an object to clients: it goes, or stays.
            let with = if path.is_member(STRUCTURED) {
                Replacement::Removal
            } else {
                self.with
            };
            self.take(path, path, result, with);
        }
        each_text(result, &mut |text| self.document(text));
        let sweep = Sweep::new(&self.words)?;
        each_text(result, &mut |text| sweep.clean(text));
        Ok(())
    }

    /// Redacts a text that is JSON, as a copy of the structured output.
    fn document(&mut self, text: &mut String) {
        let Some(mut document) = disagree::document(text) else {
            return;
        };
        let mut changed = false;
        for path in self.paths {
            if path.is_member(STRUCTURED) {
                scalars(&document, &mut self.words);
                self.hit.insert(path.to_string());
                Replacement::MARK.clone_into(text);
                return;
            }
            for place in in_document(path) {
                changed |= self.take(path, &place, &mut document, self.with);
            }
        }
        if changed {
            *text = document.to_string();
        }
    }

    fn take(
        &mut self,
        path: &JsonPath,
        place: &JsonPath,
        value: &mut Value,
        with: Replacement,
    ) -> bool {
        let found = place.found_in(value);
        if found {
            place
                .replace(value, with)
                .iter()
                .for_each(|taken| scalars(taken, &mut self.words));
            self.hit.insert(path.to_string());
        }
        found
    }
}

/// Where a path into the result can be in a text that repeats the structured output: at the root, in
/// what is wrapped as `result`, in one element of that.
fn in_document(path: &JsonPath) -> Vec<JsonPath> {
    let Some(root) = path.below(STRUCTURED) else {
        return Vec::new();
    };
    let wrapped = root.below("result");
    let element = wrapped.as_ref().and_then(JsonPath::below_element);
    [Some(root), wrapped, element]
        .into_iter()
        .flatten()
        .collect()
}

/// The strings of a result that say something, structured output aside: not what only tells how a
/// block is to be read, nor the bytes of images and files.
fn each_text(result: &mut Value, change: &mut dyn FnMut(&mut String)) {
    let Some(object) = result.as_object_mut() else {
        return;
    };
    for (name, value) in object.iter_mut() {
        match (name, value) {
            (STRUCTURED | "resultType", _) => {}
            ("content" | "contents", Value::Array(blocks)) => {
                blocks
                    .iter_mut()
                    .for_each(|block| block_texts(block, change));
            }
            ("messages", Value::Array(messages)) => {
                messages
                    .iter_mut()
                    .for_each(|message| message_texts(message, change));
            }
            (_, value) => strings(value, change),
        }
    }
}

fn block_texts(block: &mut Value, change: &mut dyn FnMut(&mut String)) {
    let Some(object) = block.as_object_mut() else {
        return;
    };
    for (name, value) in object.iter_mut() {
        match name {
            "type" | "mimeType" | "data" | "blob" => {}
            "resource" => block_texts(value, change),
            _ => strings(value, change),
        }
    }
}

fn message_texts(message: &mut Value, change: &mut dyn FnMut(&mut String)) {
    let Some(object) = message.as_object_mut() else {
        return;
    };
    for (name, value) in object.iter_mut() {
        match (name, value) {
            ("role", _) => {}
            ("content", block) => block_texts(block, change),
            (_, value) => strings(value, change),
        }
    }
}

fn strings(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => change(text),
        Value::Array(elements) => elements
            .iter_mut()
            .for_each(|element| strings(element, change)),
        Value::Object(object) => object
            .iter_mut()
            .for_each(|(_, value)| strings(value, change)),
    }
}

/// The spellings of everything in a value that says something by itself.
fn scalars(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => {
            words.insert(number.as_str().to_owned());
        }
        Value::String(text) => {
            words.insert(text.trim().to_owned());
        }
        Value::Array(elements) => elements.iter().for_each(|element| scalars(element, words)),
        Value::Object(object) => object.values().for_each(|value| scalars(value, words)),
    }
}

/// What becomes of texts that may repeat what was taken out.
enum Sweep {
    /// More was taken out than can be searched for: no text stays.
    All,
    Nothing,
    Words(AhoCorasick),
}

impl Sweep {
    fn new(words: &BTreeSet<String>) -> Result<Self, BuildError> {
        let long = words
            .iter()
            .filter(|word| word.chars().count() >= SHORTEST && *word != Replacement::MARK);
        // As they are, and as they stand inside a JSON string.
        let escaped = |word: &String| {
            let quoted = Value::from(word.as_str()).to_string();
            quoted
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .map(str::to_owned)
        };
        let patterns: BTreeSet<String> = long
            .flat_map(|word| [Some(word.clone()), escaped(word)])
            .flatten()
            .collect();
        if patterns.is_empty() {
            return Ok(Self::Nothing);
        }
        if patterns.iter().map(String::len).sum::<usize>() > MOST_BYTES {
            return Ok(Self::All);
        }
        Ok(Self::Words(
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(patterns)?,
        ))
    }

    fn clean(&self, text: &mut String) {
        match self {
            Self::All => Replacement::MARK.clone_into(text),
            Self::Nothing => {}
            Self::Words(automaton) => {
                if automaton.is_match(text.as_str()) {
                    let mut clean = String::with_capacity(text.len());
                    automaton.replace_all_with(text, &mut clean, |_, _, out| {
                        out.push_str(Replacement::MARK);
                        true
                    });
                    *text = clean;
                }
            }
        }
    }
}

const STRUCTURED: &str = "structuredContent";

/// The shortest word that is looked for in other texts: `no` and `12` are everywhere.
const SHORTEST: usize = 4;

/// The most that is searched for.
const MOST_BYTES: usize = 1 << 20;
