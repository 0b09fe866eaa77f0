/// A family of rules.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// Text that addresses the model, or hides from people.
    Injection,
    /// Personal and financial identifiers.
    Personal,
    /// Credentials.
    Secret,
    /// Contradictions within one result.
    Structure,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Injection,
        Self::Personal,
        Self::Secret,
        Self::Structure,
    ];
}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident => $family:ident, $name:literal, $label:literal;)*) => {
        /// A rule that content can match.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Rule { $($(#[$doc])* $variant,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name, as findings carry it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The label that a match puts on the content.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// Its family.
            #[must_use]
            pub fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family,)* }
            }
        }
    };
}

rules! {
    /// A duty laid on "the assistant", "AI agents".
    Addressed => Injection, "injection/addressed", "suspicious";
    /// A request to keep something from the user.
    Conceal => Injection, "injection/conceal", "suspicious";
    /// A payload that is to be decoded and obeyed.
    DecodeAndObey => Injection, "injection/decode-and-obey", "suspicious";
    /// `<IMPORTANT>` and other mark-up that raises its voice.
    Emphasis => Injection, "injection/emphasis", "suspicious";
    /// Something that looks like a JSON-RPC frame.
    Frame => Injection, "injection/frame", "suspicious";
    /// HTML that is not shown, with words for a model in it.
    HiddenHtml => Injection, "injection/hidden-html", "suspicious";
    /// "Ignore previous instructions".
    Override => Injection, "injection/override", "suspicious";
    /// Markers that separate the turns of a conversation.
    Turn => Injection, "injection/turn", "suspicious";
    /// Characters that change the direction of text.
    Bidi => Injection, "smuggling/bidi", "suspicious";
    /// Letters of two scripts in one word.
    MixedScript => Injection, "smuggling/mixed-script", "suspicious";
    /// Tag characters: ASCII that is not shown.
    Tag => Injection, "smuggling/tag", "suspicious";
    /// Rows of variation selectors, which can carry bytes.
    Variation => Injection, "smuggling/variation", "suspicious";
    /// Characters without width.
    ZeroWidth => Injection, "smuggling/zero-width", "suspicious";
    /// An e-mail address.
    Email => Personal, "personal/email", "email";
    /// An IBAN whose check digits are right.
    Iban => Personal, "personal/iban", "iban";
    /// A payment card number whose check digit is right.
    PaymentCard => Personal, "personal/payment-card", "payment-card";
    /// A US social security number within the ranges that are issued.
    UsSsn => Personal, "personal/us-ssn", "us-ssn";
    /// An AWS access key.
    AwsAccessKey => Secret, "secret/aws-access-key", "secret";
    /// A key of a model provider.
    AiProviderKey => Secret, "secret/ai-provider-key", "secret";
    /// A password in a URL or an `Authorization` header.
    Credentials => Secret, "secret/credentials", "secret";
    /// A GitHub token.
    GithubToken => Secret, "secret/github-token", "secret";
    /// A GitLab token.
    GitlabToken => Secret, "secret/gitlab-token", "secret";
    /// A Google API key.
    GoogleApiKey => Secret, "secret/google-api-key", "secret";
    /// Something random that is assigned to something secret.
    HighEntropy => Secret, "secret/high-entropy", "high-entropy";
    /// A JSON Web Token.
    Jwt => Secret, "secret/jwt", "secret";
    /// A token of a package registry.
    PackageToken => Secret, "secret/package-token", "secret";
    /// A private key.
    PrivateKey => Secret, "secret/private-key", "secret";
    /// A token or key of another service with a prefix of its own.
    ServiceToken => Secret, "secret/service-token", "secret";
    /// A Slack token or webhook.
    SlackToken => Secret, "secret/slack-token", "secret";
    /// A Stripe key.
    StripeKey => Secret, "secret/stripe-key", "secret";
    /// A result without the structured output that the approved definition promises.
    OutputMissing => Structure, "structure/output-missing", "inconsistent";
    /// Text and structured output that say different things.
    TextDiffers => Structure, "structure/text-differs", "inconsistent";
}

impl Rule {
    /// The built-in sensitivity that content with such a match has at least.
    #[must_use]
    pub fn sensitivity(self) -> Option<&'static str> {
        matches!(self, Self::Iban | Self::PaymentCard | Self::UsSsn).then_some("pii")
    }
}
