//! What the environment says: the variables of Hugging Face's Python libraries, with their meanings.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use amanuensis::model::hub::Cache;

/// Where models come from where `HF_ENDPOINT` does not say otherwise.
const HUB: &str = "https://huggingface.co";

/// How long the server may be silent where no variable says how long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file with a token holds nothing else.
const LONGEST_TOKEN: u64 = 4096;

/// Where models come from, where they go, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server, without a `/` at its end.
    pub endpoint: String,
    /// The cache.
    pub cache: Cache,
    /// What shows the server who asks.
    pub token: Option<Token>,
    /// Whether nothing may be fetched.
    pub offline: bool,
    /// Whether no progress is to be shown.
    pub quiet: bool,
    /// Whether files are put into snapshots as they are instead of links to blobs.
    pub without_links: bool,
    /// How long the server may take to answer.
    pub answer_timeout: Duration,
    /// How long nothing may come while a file is fetched.
    pub silence_timeout: Duration,
    /// Certificates to trust instead of the system's.
    pub certificates: Option<PathBuf>,
    /// How failures that may pass are met.
    pub retries: Retries,
    /// The folder of this program's own settings; none where there is no home.
    pub configuration: Option<PathBuf>,
}

/// How failures that may pass are met: broken connections, 429, 5xx.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// How often something is tried without getting any further.
    pub attempts: u32,
    /// The wait before the second attempt. It doubles with each, and a part of it is chance.
    pub first_wait: Duration,
    /// The longest wait. A server that asks for more is not waited for.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(60) }
    }
}

/// A token. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token; none where the text cannot be one.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| Self(text.to_owned()))
    }

    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(not shown)")
    }
}

impl Settings {
    /// What this process's environment says.
    pub fn from_environment() -> Self {
        Self::from_variables(&|name| std::env::var_os(name))
    }

    /// The same with variables from elsewhere.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let path = |name: &str| set(name).map(PathBuf::from);
        let yes = |name: &str| text(name).is_some_and(|value| is_true(&value));
        let seconds =
            |name: &str| text(name).and_then(|value| value.trim().parse().ok()).filter(|seconds| *seconds > 0);
        let timeout = |name: &str| seconds(name).map_or(PATIENCE, Duration::from_secs);
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned());
        Self {
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            cache: Cache::from_variables(variable),
            token: if yes("HF_HUB_DISABLE_IMPLICIT_TOKEN") { None } else { token(variable) },
            offline: yes("HF_HUB_OFFLINE") || (set("HF_HUB_OFFLINE").is_none() && yes("TRANSFORMERS_OFFLINE")),
            quiet: yes("HF_HUB_DISABLE_PROGRESS_BARS"),
            without_links: yes("HF_HUB_DISABLE_SYMLINKS"),
            answer_timeout: timeout("HF_HUB_ETAG_TIMEOUT"),
            silence_timeout: timeout("HF_HUB_DOWNLOAD_TIMEOUT"),
            certificates: path("SSL_CERT_FILE").or_else(|| path("REQUESTS_CA_BUNDLE")),
            retries: Retries::default(),
            configuration: path("AMANUENSIS_CONFIG")
                .or_else(|| path("XDG_CONFIG_HOME").map(|folder| folder.join("amanuensis")))
                .or_else(|| path("APPDATA").map(|folder| folder.join("amanuensis")))
                .or_else(|| path("HOME").map(|home| home.join(".config/amanuensis"))),
        }
    }
}

/// The words that Hugging Face's libraries take for yes.
fn is_true(text: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].iter().any(|word| word.eq_ignore_ascii_case(text.trim()))
}

/// The token in the environment, or in the file where `hf auth login` puts it.
fn token(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Token> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let named = |name: &str| set(name).and_then(|value| Token::new(value.to_str()?));
    let path = |name: &str| set(name).map(PathBuf::from);
    if let Some(token) = named("HF_TOKEN").or_else(|| named("HUGGING_FACE_HUB_TOKEN")) {
        return Some(token);
    }
    let file = path("HF_TOKEN_PATH")
        .or_else(|| path("HF_HOME").map(|home| home.join("token")))
        .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/token")))
        .or_else(|| path("HOME").or_else(|| path("USERPROFILE")).map(|home| home.join(".cache/huggingface/token")))?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LONGEST_TOKEN {
        return None;
    }
    Token::new(&fs::read_to_string(file).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::from_variables(&move |name| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn variables_mean_what_they_mean_to_python() {
        let none = settings(&[]);
        assert_eq!((none.endpoint.as_str(), none.offline, none.token), ("https://huggingface.co", false, None));
        let all = settings(&[
            ("HF_ENDPOINT", "http://127.0.0.1:8080/"),
            ("HF_HUB_CACHE", "/cache"),
            ("HF_HUB_OFFLINE", "yes"),
            ("HF_TOKEN", " hf_x\n"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "3"),
            ("HF_HUB_ETAG_TIMEOUT", "no number"),
            ("HF_HUB_DISABLE_SYMLINKS", "1"),
            ("HF_HUB_DISABLE_PROGRESS_BARS", "True"),
            ("XDG_CONFIG_HOME", "/configuration"),
        ]);
        assert_eq!((all.endpoint.as_str(), all.offline), ("http://127.0.0.1:8080", true));
        assert_eq!(all.cache.folder(), Some("/cache".as_ref()));
        assert_eq!(all.token.as_ref().map(Token::header).as_deref(), Some("Bearer hf_x"));
        assert_eq!((all.silence_timeout, all.answer_timeout), (Duration::from_secs(3), PATIENCE));
        assert!(all.without_links && all.quiet);
        assert_eq!(all.configuration, Some("/configuration/amanuensis".into()));
        assert!(!settings(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]).offline);
        assert!(settings(&[("TRANSFORMERS_OFFLINE", "ON")]).offline);
    }

    #[test]
    fn tokens_come_from_variables_before_files_and_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), "hf_of_the_file\n").unwrap();
        let home = folder.path().to_str().unwrap();
        let of_file = settings(&[("HF_HOME", home)]).token;
        assert_eq!(of_file, Token::new("hf_of_the_file"));
        assert!(!format!("{of_file:?}").contains("hf_of"));
        assert_eq!(settings(&[("HF_HOME", home), ("HUGGING_FACE_HUB_TOKEN", "old")]).token, Token::new("old"));
        let both = [("HF_TOKEN", "new"), ("HUGGING_FACE_HUB_TOKEN", "old")];
        assert_eq!(settings(&both).token, Token::new("new"));
        assert_eq!(settings(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
        assert_eq!((Token::new("a b"), Token::new("a\r\nHost: x"), Token::new("")), (None, None, None));
    }
}
