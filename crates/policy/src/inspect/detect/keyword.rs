use std::sync::LazyLock;

use regex::Regex;

use super::{super::Rule, secret, window::Window};

/// A fixed string that is looked for, whatever its case, and what has to be around it.
pub(super) struct Keyword {
    pub(super) text: &'static str,
    pub(super) rule: Rule,
    pub(super) check: Check,
}

/// What makes a keyword a match.
pub(super) enum Check {
    /// That it is there.
    Enough,
    /// What is around it: the end of the match, in the text.
    Look(fn(&Window<'_>) -> Option<usize>),
}

const fn enough(rule: Rule, text: &'static str) -> Keyword {
    Keyword {
        text,
        rule,
        check: Check::Enough,
    }
}

const fn look(rule: Rule, text: &'static str, look: fn(&Window<'_>) -> Option<usize>) -> Keyword {
    Keyword {
        text,
        rule,
        check: Check::Look(look),
    }
}

pub(super) static KEYWORDS: [Keyword; 135] = [
    look(Rule::Override, "ignore", overrides),
    look(Rule::Override, "disregard", overrides),
    look(Rule::Override, "forget", overrides),
    look(Rule::Override, "override", overrides),
    look(Rule::Override, "bypass", overrides),
    look(Rule::Override, "ignoriere", overrides),
    look(Rule::Override, "ignora", overrides),
    look(Rule::Override, "ignorez", overrides),
    look(Rule::Override, "oubliez", overrides),
    look(Rule::Override, "vergiss", overrides),
    look(Rule::Override, "new instruction", announces),
    look(Rule::Override, "new directive", announces),
    look(Rule::Override, "system override", announces),
    look(Rule::Override, "you are now ", renames),
    look(Rule::Addressed, "assistant", addressed),
    look(Rule::Addressed, "ai agent", addressed),
    look(Rule::Addressed, "ai model", addressed),
    look(Rule::Addressed, "language model", addressed),
    look(Rule::Addressed, "llm", addressed),
    look(Rule::Addressed, "chatbot", addressed),
    look(Rule::Addressed, "whoever handles", requested),
    look(Rule::Addressed, "whoever reads", requested),
    look(Rule::Addressed, "whoever processes", requested),
    look(Rule::Addressed, "it would be really helpful if", requested),
    look(Rule::Addressed, "it would really help", requested),
    look(Rule::Conceal, "tell the user", concealed),
    look(Rule::Conceal, "telling the user", concealed),
    look(Rule::Conceal, "inform the user", concealed),
    look(Rule::Conceal, "informing the user", concealed),
    look(Rule::Conceal, "notify the user", concealed),
    look(Rule::Conceal, "notifying the user", concealed),
    look(Rule::Conceal, "alert the user", concealed),
    look(Rule::Conceal, "mention th", concealed),
    look(Rule::Conceal, "mention it to", concealed),
    look(Rule::Conceal, "explicitly mention", concealed),
    look(Rule::Conceal, "reveal th", concealed),
    look(Rule::Conceal, "bring it up with", concealed),
    look(Rule::Conceal, "bring this up with", concealed),
    look(Rule::Conceal, "discussed with the user", concealed),
    look(Rule::Conceal, "needs to be discussed", concealed),
    enough(Rule::Conceal, "without the user knowing"),
    enough(Rule::Conceal, "without the user's knowledge"),
    enough(Rule::Conceal, "hidden from the user"),
    enough(Rule::Conceal, "out of your answer"),
    enough(Rule::Conceal, "out of your response"),
    look(Rule::DecodeAndObey, "decode", decoded),
    enough(Rule::Emphasis, "<important>"),
    enough(Rule::Emphasis, "</important>"),
    enough(Rule::Emphasis, "[important]"),
    enough(Rule::Emphasis, "<critical>"),
    enough(Rule::Emphasis, "<secret>"),
    enough(Rule::Emphasis, "<hidden>"),
    enough(Rule::Emphasis, "<instructions>"),
    enough(Rule::Emphasis, "<instruction>"),
    enough(Rule::Emphasis, "<information>"),
    look(Rule::Frame, "\"jsonrpc\"", framed),
    look(Rule::HiddenHtml, "<!--", commented),
    look(Rule::HiddenHtml, "display:none", styled),
    look(Rule::HiddenHtml, "display: none", styled),
    look(Rule::HiddenHtml, "visibility:hidden", styled),
    look(Rule::HiddenHtml, "visibility: hidden", styled),
    look(Rule::HiddenHtml, "font-size:0", styled),
    look(Rule::HiddenHtml, "font-size: 0", styled),
    look(Rule::HiddenHtml, "opacity:0", styled),
    look(Rule::HiddenHtml, "opacity: 0", styled),
    enough(Rule::Turn, "<|im_start|>"),
    enough(Rule::Turn, "<|im_end|>"),
    enough(Rule::Turn, "<|system|>"),
    enough(Rule::Turn, "<|user|>"),
    enough(Rule::Turn, "<|assistant|>"),
    enough(Rule::Turn, "<|endoftext|>"),
    enough(Rule::Turn, "<|eot_id|>"),
    enough(Rule::Turn, "<|start_header_id|>"),
    enough(Rule::Turn, "<start_of_turn>"),
    enough(Rule::Turn, "<end_of_turn>"),
    enough(Rule::Turn, "<<sys>>"),
    look(Rule::Turn, "[inst]", exact_case),
    look(Rule::Turn, "[/inst]", exact_case),
    enough(Rule::Turn, "</tool_result>"),
    enough(Rule::Turn, "</tool_response>"),
    enough(Rule::Turn, "</function_results>"),
    enough(Rule::Turn, "<system>"),
    enough(Rule::Turn, "<system_prompt>"),
    enough(Rule::Turn, "<system-reminder>"),
    enough(Rule::Turn, "### instruction:"),
    enough(Rule::Turn, "### system:"),
    look(Rule::Turn, "\n\nhuman:", exact_turn),
    look(Rule::Turn, "\n\nassistant:", exact_turn),
    look(Rule::Email, "@", secret::email),
    look(Rule::AwsAccessKey, "akia", secret::aws),
    look(Rule::AwsAccessKey, "asia", secret::aws),
    look(Rule::AwsAccessKey, "abia", secret::aws),
    look(Rule::AwsAccessKey, "acca", secret::aws),
    look(Rule::AiProviderKey, "sk-", secret::ai_provider),
    look(Rule::AiProviderKey, "pplx-", secret::ai_provider),
    look(Rule::AiProviderKey, "hf_", secret::ai_provider),
    look(Rule::Credentials, "://", secret::url_password),
    look(Rule::Credentials, "authorization:", secret::authorization),
    look(Rule::Credentials, "curl ", secret::curl_user),
    look(Rule::GithubToken, "ghp_", secret::github),
    look(Rule::GithubToken, "gho_", secret::github),
    look(Rule::GithubToken, "ghu_", secret::github),
    look(Rule::GithubToken, "ghs_", secret::github),
    look(Rule::GithubToken, "ghr_", secret::github),
    look(Rule::GithubToken, "github_pat_", secret::github_fine),
    look(Rule::GitlabToken, "glpat-", secret::gitlab),
    look(Rule::GitlabToken, "gr1348941", secret::gitlab),
    look(Rule::GoogleApiKey, "aiza", secret::google),
    look(Rule::HighEntropy, "secret", secret::assigned),
    look(Rule::HighEntropy, "token", secret::assigned),
    look(Rule::HighEntropy, "passw", secret::assigned),
    look(Rule::HighEntropy, "api_key", secret::assigned),
    look(Rule::HighEntropy, "api-key", secret::assigned),
    look(Rule::HighEntropy, "apikey", secret::assigned),
    look(Rule::HighEntropy, "access_key", secret::assigned),
    look(Rule::HighEntropy, "accesskey", secret::assigned),
    look(Rule::HighEntropy, "account_key", secret::assigned),
    look(Rule::HighEntropy, "accountkey", secret::assigned),
    look(Rule::HighEntropy, "private_key", secret::assigned),
    look(Rule::HighEntropy, "credential", secret::assigned),
    look(Rule::Jwt, "eyj", secret::jwt),
    look(Rule::PackageToken, "npm_", secret::package),
    look(Rule::PackageToken, "pypi-ag", secret::package),
    look(Rule::PackageToken, "dckr_pat_", secret::package),
    look(Rule::PrivateKey, "private key", secret::private_key),
    look(Rule::ServiceToken, "sg.", secret::service),
    look(Rule::ServiceToken, "hvs.", secret::service),
    look(Rule::ServiceToken, "dop_v1_", secret::service),
    look(Rule::ServiceToken, "shpat_", secret::service),
    look(Rule::SlackToken, "xox", secret::slack),
    look(Rule::SlackToken, "xapp-", secret::slack),
    look(Rule::SlackToken, "hooks.slack.com/", secret::slack_hook),
    look(Rule::StripeKey, "k_live_", secret::stripe),
    look(Rule::StripeKey, "k_test_", secret::stripe),
    look(Rule::StripeKey, "k_prod_", secret::stripe),
];

/// Compiles each pattern when it is first needed. `ALL` lists them for the test that they compile:
/// one that did not would find nothing.
macro_rules! patterns {
    ($($name:ident = $text:literal;)*) => {
        $(static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());)*

        #[cfg(test)]
        pub(super) static ALL: &[(&str, &LazyLock<Option<Regex>>)] = &[$((stringify!($name), &$name),)*];
    };
}
pub(super) use patterns;

patterns! {
OVERRIDES = r"(?xi)\A (?: (?:ignor(?:e|ing|iere|a|ez)|disregard(?:ing)?|forget|overrid(?:e|ing)|bypass(?:ing)?|vergiss|oubliez) \W+
        (?: (?: \w+ \W+ ){0,3}? (?: previous|prior|above|earlier|preceding|foregoing|existing|original|initial|system|safety|your
                | vorherigen|bisherigen|anteriores|précédentes|precedentes ) \W+
            (?: \w+ \W+ ){0,2}? (?: instruct|prompt|rule|guideline|directive|constraint|polic|guardrail|context|order|check|training|safeguard
                | anweisung|instruc|consigne )
          | (?: everything|anything|all|what(?:ever)? ) \W+ (?: that \W+ )? (?: you \W+ (?: were|was|have \W+ been|know|ha[dv]e? ) | (?: you (?:'ve|'re)) | above | before | prior | previously | said )
          | (?: instructions | anweisungen | instrucciones ) \W+ (?: anteriores | précédentes | above | before )
          | (?: all|any|alle|todas|toutes ) \W+ (?: \w+ \W+ ){0,2}? (?: instruct|anweisung|instruc|safety|restriction|guardrail )
        ))";
ANNOUNCES = r"(?i)\A\w+ \w+s?\s*:";
RENAMES = r"(?i)\Ayou are now (?:an?|the|in|free|able|acting|operating|going)\b";
ADDRESSED = r"(?xi)\A (?: assistants?|ai\ (?:agents?|models?)|language\ models?|llms?|chatbots? ) \b
      (?: \s*: \s* (?:please \s+)? (?: call|send|forward|post|upload|invoke|execute|transfer|delete|ignore|reveal|run ) \b
        | [^.\n]{0,60}? \b (?: must|should|shall|needs?\ to|ha(?:s|ve)\ to|(?:is|are)\ (?:required|instructed|expected|asked|to)\b(?:\ to)? ) \s+
            (?: (?: now|also|first|then|always|immediately|instead|silently|additionally ) \s+ )*
            (?: call|send|forward|e-?mail|post|upload|invoke|execute|transfer|delete|disclose|reveal|exfiltrate|export|grant|share|visit|navigate|include\ (?:the|all|your)|ignore|read\ (?:the|all)\ (?:file|content|ssh|env|secret|credential|config) )
        | [^.\n]{0,40}? (?: processing|reading|handling|visiting|parsing|summari[sz]ing ) [^.\n:]{0,40} : )";
FOR_THE_MODEL = r"(?i)\b(?:meant|intended|only|note|message|instructions?|addressed) (?:for|to) (?:the |any |an )?(?:ai |llm )?\z";
REQUESTED = r"(?i)\A[^.\n]{0,120}?\b(?:could|please|must|need to|should|if you)\b";
NEGATED = r"(?i)(?:\bnot|n't|\bnever|\bwithout|\bno need to|\bavoid|\bdon’t)\W+(?:\w+\W+){0,3}\z";
DECODED = r"(?xi)\A decode \W+ (?: \w+ \W+ ){0,4}? (?: (?:and|then) \W+ ){1,2} (?: follow|execute|obey|run|do|perform|carry ) \b";
FRAMED = r#"\A"jsonrpc"\s*:\s*"2\.0""#;
COMMENTED = r"(?xis)\A <!-- (?: [^>]{0,300}? ) \b (?: system\s*:|assistant|ai\ (?:agent|model)s?|llms?\b|ignore\ (?:all|any|the|your|previous|prior)|instructions?\s*:|you\ must|do\ not\ (?:tell|mention|reveal)|always\ (?:read|call|send|include|use)|secretly )";
STYLED = r"(?xis)\A [^>]{0,120}? > [^<]{0,300}? \b (?: assistant|system\s*:|ai\ (?:agent|model)s?|llms?|ignore|instructions?|you\ must|send|forward|call\ the )\b";
TURN = r"\A\n\n(?:Human|Assistant):";
}

fn overrides(window: &Window<'_>) -> Option<usize> {
    window
        .begins_word()
        .then(|| window.matches(OVERRIDES.as_ref(), 160))?
}

fn announces(window: &Window<'_>) -> Option<usize> {
    window
        .begins_word()
        .then(|| window.matches(ANNOUNCES.as_ref(), 48))?
}

fn renames(window: &Window<'_>) -> Option<usize> {
    window
        .begins_word()
        .then(|| window.matches(RENAMES.as_ref(), 48))?
}

fn addressed(window: &Window<'_>) -> Option<usize> {
    if !window.begins_word() {
        return None;
    }
    if FOR_THE_MODEL
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(window.before(48)))
        && window.ends_word()
    {
        return Some(window.end());
    }
    window.matches(ADDRESSED.as_ref(), 240)
}

fn requested(window: &Window<'_>) -> Option<usize> {
    window
        .begins_word()
        .then(|| window.matches(REQUESTED.as_ref(), 200))?
}

fn concealed(window: &Window<'_>) -> Option<usize> {
    let before = window.before(40);
    NEGATED
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(before))
        .then(|| window.end())
}

fn decoded(window: &Window<'_>) -> Option<usize> {
    window
        .begins_word()
        .then(|| window.matches(DECODED.as_ref(), 120))?
}

fn framed(window: &Window<'_>) -> Option<usize> {
    window.matches(FRAMED.as_ref(), 48)
}

fn commented(window: &Window<'_>) -> Option<usize> {
    window.matches(COMMENTED.as_ref(), 400)
}

fn styled(window: &Window<'_>) -> Option<usize> {
    window.matches(STYLED.as_ref(), 480)
}

fn exact_case(window: &Window<'_>) -> Option<usize> {
    let text = window.from(7);
    (text.starts_with("[INST]") || text.starts_with("[/INST]")).then(|| window.end())
}

fn exact_turn(window: &Window<'_>) -> Option<usize> {
    window.matches(TURN.as_ref(), 16)
}
