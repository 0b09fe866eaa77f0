//! The shipped reference values, and what a row's policy decides otherwise.

use cmcp_evidence::{ReferenceValues, hex};
use cmcp_json::{Limits, Object, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::Result;

/// A policy by its name, and everything in it that is not as shipped.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) name: &'static str,
    /// Where, and what is written there, for a reader.
    pub(crate) edits: Vec<(String, String)>,
    pub(crate) document: Value,
}

impl Policy {
    /// As shipped, under another name.
    pub(crate) fn shipped(name: &'static str) -> Result<Self> {
        Ok(Self {
            name,
            edits: Vec::new(),
            document: yaml(include_str!("../../defaults/reference-values.yaml"))?,
        })
    }

    /// With a place decided otherwise, in JSON. Slashes part the names of a place.
    pub(crate) fn with(self, place: &str, json: &str) -> Result<Self> {
        self.said(place, json, json)
    }

    /// With a place that holds what this capture shows.
    pub(crate) fn captured(self, place: &str, json: &str) -> Result<Self> {
        self.said(place, json, "what the capture shows")
    }

    /// With a named measurement: the capture's.
    pub(crate) fn measured(self, place: &str, measurement: &[u8]) -> Result<Self> {
        let json = format!(r#"{{"captured":"{}"}}"#, hex::encode(measurement));
        self.captured(place, &json)
    }

    pub(crate) fn said(mut self, place: &str, json: &str, says: &str) -> Result<Self> {
        let value = cmcp_json::parse(json.as_bytes(), &Limits::DOCUMENT)
            .map_err(|error| format!("{place}: {json}: {error}"))?;
        put(&mut self.document, place, value)?;
        let edit = (place.replace('/', "."), says.to_owned());
        self.edits.retain(|(known, _)| *known != edit.0);
        self.edits.push(edit);
        Ok(self)
    }

    pub(crate) fn values(&self) -> Result<ReferenceValues> {
        ReferenceValues::read(&self.document).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!("policy `{}`: {}", self.name, faults.join("; ")).into()
        })
    }
}

fn put(value: &mut Value, place: &str, new: Value) -> Result<()> {
    let object = value
        .as_object_mut()
        .ok_or_else(|| format!("{place}: not in a mapping"))?;
    match place.split_once('/') {
        None => {
            object.insert(place, new);
            Ok(())
        }
        Some((name, rest)) => {
            let inner = object
                .get_mut(name)
                .ok_or_else(|| format!("{place}: no `{name}`"))?;
            put(inner, rest, new)
        }
    }
}

/// The shipped document is plain: mappings, lists, texts and numbers.
fn yaml(text: &str) -> Result<Value> {
    let mut events = Parser::new_from_str(text);
    loop {
        let event = next(&mut events)?;
        if !matches!(
            event,
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing
        ) {
            return node(&mut events, event);
        }
    }
}

type Events<'a> = Parser<'a, StrInput<'a>>;

fn next<'a>(events: &mut Events<'a>) -> Result<Event<'a>> {
    let (event, _) = events.next().ok_or("the document ends")??;
    Ok(event)
}

fn node<'a>(events: &mut Events<'a>, event: Event<'a>) -> Result<Value> {
    if let Event::Scalar(text, style, ..) = event {
        let number = (style == ScalarStyle::Plain).then(|| text.parse::<u64>().ok());
        return Ok(match number.flatten() {
            Some(number) => Value::from(number),
            None => Value::from(text.as_ref()),
        });
    }
    if let Event::SequenceStart(..) = event {
        let mut list = Vec::new();
        loop {
            let event = next(events)?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(list));
            }
            list.push(node(events, event)?);
        }
    }
    let Event::MappingStart(..) = event else {
        return Err("the shipped document is plain".into());
    };
    let mut object = Object::new();
    loop {
        let key = next(events)?;
        if key == Event::MappingEnd {
            return Ok(Value::Object(object));
        }
        let Event::Scalar(key, ..) = key else {
            return Err("a key is a text".into());
        };
        let event = next(events)?;
        let value = node(events, event)?;
        object.insert(key.as_ref(), value);
    }
}
