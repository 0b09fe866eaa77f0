use std::sync::LazyLock;

use regex::Regex;

use super::{keyword::patterns, window::Window};

patterns! {
EMAIL_AFTER = r"(?i)\A@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,24}\b";
AWS = r"\A((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b";
AI_PROVIDER = r"(?x)\A( sk-ant-(?:api03|admin01)-[0-9A-Za-z_-]{93}AA | sk-(?:proj-|svcacct-|admin-)?[0-9A-Za-z_-]{16,100}T3BlbkFJ[0-9A-Za-z_-]{16,100}
        | sk-or-v1-[0-9a-f]{64} | pplx-[A-Za-z0-9]{48} | hf_[A-Za-z]{34} )(?:[^0-9A-Za-z_-]|\z)";
URL_PASSWORD = r"\A://[^\s/:@$<{]{1,64}:([^\s/@:$<{*%]{3,100})@[0-9A-Za-z_.\[-]";
AUTHORIZATION = r"(?i)\Aauthorization:\s*(?:basic|bearer|token|apikey|)\s*([0-9A-Za-z_.~+/=-]{8,400})";
CURL_USER = r#"(?x)\Acurl\s[^\n]{0,300}?\s(?:-u|--user)[\s=]*["']?([^\s"':]{0,64}:[^\s"']{3,100}|[^\s"':]{1,64}:["'][^"']{3,100}["'])"#;
GITHUB = r"\A(gh[pousr]_[A-Za-z0-9]{36})\b";
GITHUB_FINE = r"\A(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b";
GITLAB = r"\A(glpat-[0-9A-Za-z_-]{20,64}|GR1348941[0-9A-Za-z_-]{20})(?:[^0-9A-Za-z_-]|\z)";
GOOGLE = r"\A(AIza[0-9A-Za-z_-]{35})(?:[^0-9A-Za-z_-]|\z)";
JWT = r"\A(eyJ[0-9A-Za-z_-]{14,}\.eyJ[0-9A-Za-z_-]{14,}\.[0-9A-Za-z_-]{16,})";
PACKAGE = r"\A(npm_[A-Za-z0-9]{36}|pypi-AgE[0-9A-Za-z_-]{60,1000}|dckr_pat_[0-9A-Za-z_-]{27})(?:[^0-9A-Za-z_-]|\z)";
PRIVATE_KEY = r"\APRIVATE KEY(?: BLOCK)?-----\s+(?:[0-9A-Za-z_-]+: [^\n]*\n)*\s*([A-Za-z0-9+/=\\]{24,})";
SERVICE = r"\A(SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}|hvs\.[0-9A-Za-z_-]{60,300}|dop_v1_[0-9a-f]{64}|shpat_[0-9a-fA-F]{32})(?:[^0-9A-Za-z_-]|\z)";
SLACK = r"(?x)\A( xox[abeoprs]-(?:[0-9]{1,3}-)?[0-9]{6,15}-[0-9A-Za-z_-]{8,200} | xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{146,} | xoxe-[0-9]-[A-Za-z0-9]{100,} | xapp-[0-9]-[A-Z0-9]{8,}-[0-9]{8,}-[0-9a-f]{32,} )";
SLACK_HOOK = r"\A(hooks\.slack\.com/(?:services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}|workflows/T[A-Z0-9]{8,}/[0-9A-Za-z_/]{20,}))";
STRIPE = r"\A(k_(?:live|test|prod)_[A-Za-z0-9]{16,99})\b";
}

pub(super) fn email(window: &Window<'_>) -> Option<usize> {
    let end = window.matches(EMAIL_AFTER.as_ref(), 260)?;
    let local = window.before(64);
    let is_local = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-');
    let last = local.chars().next_back()?;
    // `git@github.com:owner/repo` and `name@1.2.3` are no addresses of people.
    let user = local.rsplit(|c| !is_local(c)).next().unwrap_or_default();
    // In a URL what stands before `@` is a user and a password.
    let word = window
        .before(160)
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default();
    (is_local(last) && last != '.' && user != "git" && !word.contains("://")).then_some(end)
}

pub(super) fn aws(window: &Window<'_>) -> Option<usize> {
    key(window, AWS.as_ref(), 24)
}

pub(super) fn ai_provider(window: &Window<'_>) -> Option<usize> {
    key(window, AI_PROVIDER.as_ref(), 256)
}

pub(super) fn url_password(window: &Window<'_>) -> Option<usize> {
    let (password, end) = window.captures(URL_PASSWORD.as_ref(), 200)?;
    (!is_placeholder(password) && !is_sample(password)).then_some(end)
}

pub(super) fn authorization(window: &Window<'_>) -> Option<usize> {
    let (value, end) = window.captures(AUTHORIZATION.as_ref(), 480)?;
    (!is_placeholder(value) && entropy(value) >= 2.5).then_some(end)
}

pub(super) fn curl_user(window: &Window<'_>) -> Option<usize> {
    let (pair, end) = window.captures(CURL_USER.as_ref(), 480)?;
    let halves = pair.split_once(':')?;
    let varies = |half: &str| half.starts_with(['$', '<', '{', '%', '*']) || half.contains("$(");
    let (user, password) = halves;
    let password = if password.is_empty() { user } else { password };
    let real = !varies(password) && !is_placeholder(password) && !is_sample(password);
    (real && !varies(user)).then_some(end)
}

pub(super) fn github(window: &Window<'_>) -> Option<usize> {
    let (token, end) = window.captures(GITHUB.as_ref(), 48)?;
    let body = token.get(4..)?;
    let (random, check) = body.split_at_checked(30)?;
    (window.begins_word() && (base62(crc32(random.as_bytes())) == check || random_enough(body)))
        .then_some(end)
}

pub(super) fn github_fine(window: &Window<'_>) -> Option<usize> {
    key(window, GITHUB_FINE.as_ref(), 96)
}

pub(super) fn gitlab(window: &Window<'_>) -> Option<usize> {
    key(window, GITLAB.as_ref(), 96)
}

pub(super) fn google(window: &Window<'_>) -> Option<usize> {
    key(window, GOOGLE.as_ref(), 48)
}

pub(super) fn jwt(window: &Window<'_>) -> Option<usize> {
    window
        .begins_word()
        .then(|| window.matches(JWT.as_ref(), 4096))?
}

pub(super) fn package(window: &Window<'_>) -> Option<usize> {
    key(window, PACKAGE.as_ref(), 1024)
}

pub(super) fn private_key(window: &Window<'_>) -> Option<usize> {
    let before = window.before(24);
    if !before.contains("-----BEGIN") {
        return None;
    }
    let (body, end) = window.captures(PRIVATE_KEY.as_ref(), 1024)?;
    random_enough(body).then_some(end)
}

pub(super) fn service(window: &Window<'_>) -> Option<usize> {
    key(window, SERVICE.as_ref(), 320)
}

pub(super) fn slack(window: &Window<'_>) -> Option<usize> {
    window
        .begins_word()
        .then(|| window.matches(SLACK.as_ref(), 480))?
}

pub(super) fn slack_hook(window: &Window<'_>) -> Option<usize> {
    window.matches(SLACK_HOOK.as_ref(), 200)
}

pub(super) fn stripe(window: &Window<'_>) -> Option<usize> {
    let (key, end) = window.captures(STRIPE.as_ref(), 128)?;
    (window.before(1).ends_with(['s', 'r']) && random_enough(key)).then_some(end)
}

/// Something random that is assigned to something called a secret. It stays a label, however sure
/// it looks: most of what it finds in code and documents is no secret.
pub(super) fn assigned(window: &Window<'_>) -> Option<usize> {
    let text = window.from(240);
    let rest = text
        .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let rest = rest.trim_start_matches(['"', '\'', '`', ']', ' ']);
    let value = ["=>", ":=", "=", ":", "|"]
        .iter()
        .find_map(|sign| rest.strip_prefix(sign))?;
    let value = value.trim_start_matches([' ', '"', '\'', '`']);
    let length = value
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || VALUE_SIGNS.contains(byte))
        .count();
    let value = value.get(..length)?.trim_end_matches(['.', ',', '=', '*']);
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let mixed = (12..=160).contains(&value.len()) && digits >= 2 && letters >= 2;
    let is_path = value.contains("//") || value.matches(['/', '.']).count() > 3;
    (mixed && !is_path && random_enough(value)).then(|| window.end())
}

/// A key with a form of its own, at the start of a word, that is not an example.
fn key(window: &Window<'_>, pattern: Option<&Regex>, bytes: usize) -> Option<usize> {
    if !window.begins_word() {
        return None;
    }
    let (key, end) = window.captures(pattern, bytes)?;
    random_enough(key).then_some(end)
}

fn random_enough(text: &str) -> bool {
    !is_placeholder(text) && entropy(text) >= 3.0
}

/// Whether a text says that it is an example, or is one character over and over.
fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words = [
        "example",
        "xxxx",
        "your",
        "changeme",
        "placeholder",
        "redacted",
        "dummy",
        "1234567890",
        "abcdefg",
        "****",
        "insert",
        "....",
    ];
    words.iter().any(|word| lower.contains(word)) || lower.starts_with(['$', '<', '{', '%'])
}

/// Whether a password is the one that documentation uses.
fn is_sample(password: &str) -> bool {
    let samples = [
        "admin",
        "guest",
        "mypassword",
        "pass",
        "passwd",
        "password",
        "postgres",
        "pwd",
        "root",
        "secret",
        "test",
        "user",
    ];
    samples.contains(&password.to_ascii_lowercase().as_str())
}

/// Shannon entropy in bits per byte.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count = count.saturating_add(1);
        }
    }
    let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let shares = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total);
    shares.map(|share| -share * share.log2()).sum()
}

/// The CRC-32 of IEEE 802.3, which GitHub appends to its tokens.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    };
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    })
}

/// Six digits to the base 62, as GitHub writes them.
fn base62(mut number: u32) -> String {
    let mut digits: Vec<u8> = Vec::with_capacity(6);
    for _ in 0..6 {
        let digit = usize::try_from(number % 62).unwrap_or_default();
        digits.push(DIGITS.get(digit).copied().unwrap_or_default());
        number /= 62;
    }
    digits.iter().rev().copied().map(char::from).collect()
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a secret is made of besides letters and digits.
const VALUE_SIGNS: &[u8] = b"_+/=.~!@$%^&*-";
