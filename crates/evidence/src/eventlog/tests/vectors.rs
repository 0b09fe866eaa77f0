//! Captured logs, each with what `expectations-other.json` says of it.

use cmcp_json::Value;

use super::{
    super::{CelLog, EventLog, HashAlg, JsonLog, Payload, Registers, kind_name, parse, parse_ccel},
    at, rows, shared,
};
use crate::{b64, hex};

/// Whether a row of this kind is one of JSON logs.
fn is_json(row: &Value) -> bool {
    at(row, "files").get("evidence").is_some()
}

fn file(row: &Value, path: &str) -> Option<Vec<u8>> {
    shared(at(row, path).as_str().expect("a name"))
}

fn accepts(row: &Value) -> bool {
    match at(row, "expect").as_str() {
        Some("accept") => true,
        Some("reject") => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn captured_tpm_logs_replay_to_the_values_that_are_stated() {
    for row in rows("eventlog") {
        let id = at(&row, "id").as_str().expect("an id");
        let Some(bytes) = file(&row, "files.log") else {
            return;
        };
        let log = parse(&bytes);
        assert_eq!(log.is_ok(), accepts(&row), "{id}");
        let log = log.expect("a log");
        assert_eq!(
            Some(log.events().len() as u64),
            at(&row, "values.events").as_u64(),
            "{id}"
        );
        let banks: Vec<String> = log
            .banks()
            .iter()
            .map(|bank| format!("{:#x}", bank.id))
            .collect();
        let stated = at(&row, "values.banks").as_array().expect("a list");
        let stated: Vec<&str> = stated.iter().filter_map(Value::as_str).collect();
        assert_eq!(banks, stated, "{id}");
        let values = log.replay(HashAlg::Sha256).expect("values");
        let stated = at(&row, "values.sha256").as_object().expect("values");
        for (register, value) in stated.iter() {
            let found = values
                .get(&register.parse().expect("a number"))
                .expect(register);
            assert_eq!(
                Some(hex::encode(found).as_str()),
                value.as_str(),
                "{id} {register}"
            );
        }
        assert_eq!(values.len(), stated.iter().len(), "{id}");
    }
}

#[test]
fn captured_ccel_logs_replay_to_the_values_that_are_stated() {
    for row in rows("ccel").iter().filter(|row| !is_json(row)) {
        let id = at(row, "id").as_str().expect("an id");
        let Some(bytes) = file(row, "files.log") else {
            return;
        };
        let log = parse_ccel(&bytes).expect("a log");
        assert_eq!(
            Some(log.events().len() as u64),
            at(row, "values.events").as_u64(),
            "{id}"
        );
        let values = log.replay(HashAlg::Sha384).expect("values");
        let of = |rtmr: &str| {
            let index: u32 = rtmr
                .strip_prefix("rtmr")
                .expect("a name")
                .parse()
                .expect("a number");
            values
                .get(&(index + 1))
                .cloned()
                .unwrap_or_else(|| vec![0; 48])
        };
        if let Some(stated) = at(row, "values").get("sha384") {
            for (rtmr, value) in stated.as_object().expect("values").iter() {
                assert_eq!(
                    Some(hex::encode(&of(rtmr)).as_str()),
                    value.as_str(),
                    "{id} {rtmr}"
                );
            }
            assert!(accepts(row), "{id}");
        }
        if let Some(matches) = at(row, "values").get("match") {
            let quote = file(row, "files.quote").expect("a quote");
            let mut all = true;
            for (rtmr, stated) in matches.as_object().expect("values").iter() {
                let same = of(rtmr) == quoted(&quote, rtmr);
                assert_eq!(Some(same), stated.as_bool(), "{id} {rtmr}");
                all &= same;
            }
            assert_eq!(all, accepts(row), "{id}");
        }
    }
}

/// An RTMR of a quote of version 4.
fn quoted<'a>(quote: &'a [u8], rtmr: &str) -> &'a [u8] {
    let index: usize = rtmr
        .strip_prefix("rtmr")
        .expect("a name")
        .parse()
        .expect("a number");
    let at = 376 + 48 * index;
    quote.get(at..at + 48).expect("a quote")
}

#[test]
fn captured_json_logs_replay_to_the_quotes_they_came_with() {
    for row in rows("ccel").iter().filter(|row| is_json(row)) {
        let id = at(row, "id").as_str().expect("an id");
        let Some(bytes) = file(row, "files.evidence") else {
            return;
        };
        let evidence = cmcp_json::parse(&bytes, &cmcp_json::Limits::DOCUMENT).expect("JSON");
        let quote = hex::decode(at(&evidence, "quote").as_str().expect("hex")).expect("hex");
        let log = at(&evidence, "event_log").as_str().expect("a log");
        let log = JsonLog::parse(log.as_bytes()).expect("a log");
        assert_eq!(
            Some(log.events().len() as u64),
            at(row, "values.events").as_u64(),
            "{id}"
        );
        let values = log.replay();
        let mut all = true;
        for (rtmr, stated) in at(row, "values.match").as_object().expect("values").iter() {
            let index = rtmr
                .strip_prefix("rtmr")
                .expect("a name")
                .parse()
                .expect("a number");
            let found = values.get(&index).expect(rtmr);
            let same = found.as_deref() == Some(quoted(&quote, rtmr));
            assert_eq!(Some(same), stated.as_bool(), "{id} {rtmr}");
            all &= same;
        }
        assert_eq!(all, accepts(row), "{id}");
        for event in log.events().iter().filter(|event| !event.digest.is_empty()) {
            assert_ne!(event.is_measured(), Some(false), "{id} {}", event.name);
        }
    }
}

#[test]
fn parsed_forms_of_captured_logs_name_the_same_events() {
    for row in rows("ccel") {
        let Some(parsed) = at(&row, "files").get("parsed").and_then(Value::as_str) else {
            continue;
        };
        let (Some(bytes), Some(parsed)) = (file(&row, "files.log"), shared(parsed)) else {
            return;
        };
        let parsed = cmcp_json::parse(&parsed, &cmcp_json::Limits::DOCUMENT).expect("JSON");
        let parsed = at(&parsed, "uefi_event_logs").as_array().expect("a list");
        let log = parse_ccel(&bytes).expect("a log");
        let extended = log.events().iter();
        assert_eq!(parsed.len(), log.events().len());
        for (stated, event) in parsed.iter().zip(extended) {
            assert_eq!(at(stated, "index").as_u64(), Some(event.register.into()));
            let digest = at(stated, "digests")
                .as_array()
                .expect("a list")
                .first()
                .expect("one");
            let found = event.digest(HashAlg::Sha384).expect("a digest");
            assert_eq!(
                at(digest, "digest").as_str(),
                Some(hex::encode(found).as_str())
            );
            assert_eq!(
                at(stated, "type_name").as_str(),
                Some(kind_name(event.kind).as_str())
            );
        }
    }
}

#[test]
fn payloads_of_captured_logs_are_what_their_digests_are_over() {
    let logs = rows("eventlog").into_iter().chain(rows("ccel"));
    let mut seen = (0, 0);
    for row in logs.filter(|row| !is_json(row)) {
        let id = at(&row, "id").as_str().expect("an id").to_owned();
        let Some(bytes) = file(&row, "files.log") else {
            return;
        };
        let (log, bank): (EventLog<'_>, _) = match at(&row, "kind").as_str() {
            Some("ccel") => (parse_ccel(&bytes).expect("a log"), HashAlg::Sha384),
            _ => (parse(&bytes).expect("a log"), HashAlg::Sha256),
        };
        assert!(log.secure_boot(bank).is_some(), "{id}");
        for event in log.extended() {
            match event.payload(bank).expect("a digest") {
                Payload::Recomputed(_) => seen.0 += 1,
                Payload::Elsewhere(_) => seen.1 += 1,
                Payload::Differs => panic!("{id} {} {}", event.number, kind_name(event.kind)),
            }
        }
    }
    // How much of what was captured says what it measures.
    assert_eq!(seen, PAYLOADS);
}

#[test]
fn b19_captured_logs_have_the_oddities_that_are_known() {
    let logs = rows("eventlog").into_iter().chain(rows("ccel"));
    let mut found = Vec::new();
    for row in logs.filter(|row| !is_json(row)) {
        let id = at(&row, "id").as_str().expect("an id").to_owned();
        let Some(bytes) = file(&row, "files.log") else {
            return;
        };
        let (log, bank) = match at(&row, "kind").as_str() {
            Some("ccel") => (parse_ccel(&bytes).expect("a log"), HashAlg::Sha384),
            _ => (parse(&bytes).expect("a log"), HashAlg::Sha256),
        };
        for odd in log.oddities(bank) {
            found.push(format!(
                "{id} {} {:?} {}",
                odd.register, odd.event, odd.what
            ));
        }
    }
    assert_eq!(found, ODDITIES);
}

#[test]
fn a_captured_canonical_log_replays_and_its_contents_are_measured() {
    let Some(text) = shared("tpm/go-tpm-tools-cel.b64") else {
        return;
    };
    let text = String::from_utf8(text).expect("base64");
    let text = text
        .trim()
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    let bytes = b64::decode(&text).expect("base64");
    let log = CelLog::parse(&bytes).expect("a log");
    assert_eq!(log.events().len(), 18);
    for event in log.events() {
        assert_eq!((event.registers, event.register), (Registers::Cc, 4));
        assert!(event.is_measured(HashAlg::Sha384), "{}", event.number);
        assert_eq!(event.kind, 0x50);
    }
    assert_eq!(log.replay(HashAlg::Sha384).expect("values").len(), 1);
    assert!(log.replay(HashAlg::Sha256).is_err());
    for end in 1..bytes.len() {
        let whole = log.events().iter().any(|event| event.at == end);
        assert_eq!(
            CelLog::parse(bytes.get(..end).unwrap()).is_ok(),
            whole,
            "{end}"
        );
    }
    let mut swapped = bytes.clone();
    swapped[12] = 1;
    assert!(CelLog::parse(&swapped).is_err());
}

/// Events whose digest is over what they hold, and events whose digest is over something else.
const PAYLOADS: (usize, usize) = (428, 141);

/// Machines that measure against the profile: Google's firmware counts what it boots as code of an
/// adapter, a workstation measures boot variables late, and old firmware of TDs closes RTMR1 with nothing.
const ODDITIES: [&str; 9] = [
    "eventlog-dstack-tpm_eventlog 2 Some(27) EV_EFI_GPT_EVENT stands behind the separator",
    "eventlog-dstack-tpm_eventlog 2 Some(28) EV_EFI_BOOT_SERVICES_APPLICATION stands behind the separator",
    "eventlog-dstack-tpm_eventlog 2 Some(41) EV_EFI_BOOT_SERVICES_APPLICATION stands behind the separator",
    "eventlog-go-tpm-tools-arch-linux-workstation 1 Some(18) EV_EFI_VARIABLE_BOOT stands behind the separator",
    "eventlog-go-tpm-tools-arch-linux-workstation 1 Some(19) EV_EFI_VARIABLE_BOOT stands behind the separator",
    "eventlog-go-tpm-tools-arch-linux-workstation 1 Some(20) EV_EFI_VARIABLE_BOOT stands behind the separator",
    "eventlog-go-tpm-tools-arch-linux-workstation 1 Some(21) EV_EFI_VARIABLE_BOOT stands behind the separator",
    "ccel-trustee-CCEL_data_grub 2 None has events and no separator",
    "ccel-trustee-CCEL_data_ovmf 2 None has events and no separator",
];
