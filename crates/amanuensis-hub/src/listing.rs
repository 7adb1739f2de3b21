//! What the hub says about a repository: its commit, and its files with their sizes and checksums.

use serde::Deserialize;
use serde_json::Value;

use crate::Watch;
use crate::checksum::Checksum;
use crate::error::{HubError, Tries};
use crate::http::{Answer, Ask, Client, Failure, quoted, repeatedly};
use crate::settings::Settings;

/// The longest description of a repository that is read. Those of models have some kilobytes.
const LONGEST_LISTING: u64 = 16 << 20;

/// The largest file that is fetched. The largest Whisper model in f32 has 6.2 GB.
pub(crate) const LARGEST_FILE: u64 = 32 << 30;

/// The longest name of a file or folder that every system takes.
const LONGEST_PART: usize = 200;

/// The longest path.
const LONGEST_NAME: usize = 1000;

/// A repository at a commit.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) commit: String,
    pub(crate) files: Vec<RemoteFile>,
    pub(crate) facts: Facts,
}

/// A file as the hub describes it. A mirror may leave out everything but the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    pub(crate) name: String,
    pub(crate) size: Option<u64>,
    pub(crate) checksum: Option<Checksum>,
}

/// What else the hub says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) modified: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) gated: bool,
    pub(crate) private: bool,
    pub(crate) downloads: Option<u64>,
}

impl Listing {
    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.name.as_str()).collect()
    }

    pub(crate) fn file(&self, name: &str) -> Option<&RemoteFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Asks the hub.
    pub(crate) fn fetch(
        client: &Client,
        settings: &Settings,
        repository: &str,
        revision: &str,
        watch: &mut Watch<'_>,
    ) -> Result<Self, HubError> {
        let path = format!("/api/models/{repository}/revision/{}?blobs=true", quoted(revision, ""));
        let (url, content) = repeatedly(settings.retries, watch, || {
            let answer = client.ask(&path, Ask::From(0))?;
            let answer = accepted(answer, client, repository, revision)?;
            Ok((answer.url.clone(), answer.read(LONGEST_LISTING)?))
        })?;
        Self::read(&url, repository, &content)
    }

    fn read(url: &str, repository: &str, content: &[u8]) -> Result<Self, HubError> {
        let refused = |reason: String| HubError::Answer { url: url.to_owned(), reason };
        let model: Model = serde_json::from_slice(content).map_err(|error| refused(error.to_string()))?;
        if model.sha.len() != 40 || !is_lower_hexadecimal(&model.sha) {
            return Err(refused(format!("it names the commit {:?}", short(&model.sha))));
        }
        let mut files = Vec::with_capacity(model.siblings.len());
        for sibling in model.siblings {
            match soundness(&sibling.rfilename) {
                Soundness::Sound => {}
                // Not every system can have such a file, and no model needs one.
                Soundness::Odd => continue,
                Soundness::Hostile(reason) => {
                    let name = short(&sibling.rfilename);
                    return Err(HubError::FileName { repository: repository.to_owned(), name, reason });
                }
            }
            let file = sibling.into_file();
            if let Some(size) = file.size.filter(|size| *size > LARGEST_FILE) {
                let name = format!("{repository}:{}", file.name);
                return Err(HubError::TooLarge { file: name, size, limit: LARGEST_FILE });
            }
            files.push(file);
        }
        let of_card = model.card_data.as_ref().and_then(|card| card.get("license")?.as_str());
        let of_tags = model.tags.iter().find_map(|tag| tag.strip_prefix("license:"));
        let facts = Facts {
            license: of_card.or(of_tags).map(str::to_owned),
            modified: model.last_modified,
            gated: !matches!(model.gated, None | Some(Value::Bool(false) | Value::Null)),
            private: model.private,
            downloads: model.downloads,
        };
        Ok(Self { commit: model.sha, files, facts })
    }
}

/// Asks for what describes one file, where the list does not say it.
pub(crate) fn describe(
    client: &Client,
    settings: &Settings,
    repository: &str,
    commit: &str,
    file: &RemoteFile,
    watch: &mut Watch<'_>,
) -> Result<(u64, Checksum), HubError> {
    if let (Some(size), Some(checksum)) = (file.size, &file.checksum) {
        return Ok((size, checksum.clone()));
    }
    let path = path_of(repository, commit, &file.name);
    repeatedly(settings.retries, watch, || {
        let answer = accepted(client.ask(&path, Ask::Head)?, client, repository, commit)?;
        let tag = answer.header_of_the_hub("x-linked-etag").or_else(|| answer.header_of_the_hub("etag"));
        let checksum = tag.and_then(Checksum::from_tag);
        let linked = answer.header_of_the_hub("x-linked-size").and_then(|text| text.parse().ok());
        let size = linked.or_else(|| (answer.status == 200).then(|| answer.length()).flatten());
        let refused = |reason: &str| HubError::Answer { url: answer.url.clone(), reason: reason.to_owned() };
        let checksum =
            checksum.ok_or_else(|| refused("there is no checksum in its ETag, so what comes cannot be verified"))?;
        let size = size.or(file.size).ok_or_else(|| refused("it does not say how large the file is"))?;
        if size > LARGEST_FILE {
            let name = format!("{repository}:{}", file.name);
            return Err(Failure::Final(HubError::TooLarge { file: name, size, limit: LARGEST_FILE }));
        }
        Ok((size, checksum))
    })
}

/// Where a file of a commit is asked for.
pub(crate) fn path_of(repository: &str, commit: &str, name: &str) -> String {
    format!("/{repository}/resolve/{commit}/{}", quoted(name, "/"))
}

/// The answer, unless it is that there is none.
fn accepted(answer: Answer, client: &Client, repository: &str, revision: &str) -> Result<Answer, HubError> {
    if (200..400).contains(&answer.status) { Ok(answer) } else { Err(refusal(answer, client, repository, revision)) }
}

/// What an answer says that is none.
pub(crate) fn refusal(mut answer: Answer, client: &Client, repository: &str, revision: &str) -> HubError {
    let status = answer.status;
    let code = answer.header("x-error-code").unwrap_or_default().to_owned();
    let (endpoint, had_token) = (client.endpoint(), client.has_token());
    let repository = repository.to_owned();
    let message = answer.message();
    match (code.as_str(), status) {
        ("GatedRepo", _) => HubError::Gated { repository, endpoint, had_token },
        ("RepoNotFound", _) => HubError::NoRepository { repository, endpoint, had_token },
        ("RevisionNotFound", _) => HubError::NoRevision { repository, revision: revision.to_owned(), endpoint },
        ("EntryNotFound", _) => {
            let reason = format!("the file is in the list of {repository}, but not there");
            HubError::Answer { url: answer.url, reason }
        }
        // Strangers are told 401 of what is not there, too.
        ("", 401) if !had_token => HubError::NoRepository { repository, endpoint, had_token },
        ("", 404) => HubError::NoRepository { repository, endpoint, had_token },
        (_, 401 | 403) => HubError::Refused { repository, endpoint, status, message, had_token },
        _ => HubError::Status { url: answer.url, status, message, after: Tries(1) },
    }
}

/// The hub's description of a repository.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
    last_modified: Option<String>,
    gated: Option<Value>,
    #[serde(default)]
    private: bool,
    downloads: Option<u64>,
    #[serde(default)]
    tags: Vec<String>,
    card_data: Option<Value>,
}

/// The hub's description of a file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    /// The name that git gives to its content.
    blob_id: Option<String>,
    /// Where git has a pointer instead of a large file.
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    #[serde(alias = "oid")]
    sha256: Option<String>,
    size: Option<u64>,
}

impl Sibling {
    fn into_file(self) -> RemoteFile {
        let checksum = match &self.lfs {
            Some(large) => large.sha256.as_deref().and_then(Checksum::from_tag),
            None => self.blob_id.as_deref().and_then(Checksum::from_tag),
        };
        let size = self.lfs.as_ref().and_then(|large| large.size).or(self.size);
        RemoteFile { name: self.rfilename, size, checksum }
    }
}

/// Whether a file of a name may be made.
#[derive(Debug, PartialEq, Eq)]
enum Soundness {
    Sound,
    /// It leads nowhere else, but not every system has such names.
    Odd,
    /// It was made to lead somewhere else.
    Hostile(&'static str),
}

fn soundness(name: &str) -> Soundness {
    if name.contains('\0') {
        return Soundness::Hostile("which has a NUL in it");
    }
    if name.contains('\\') {
        return Soundness::Hostile("which has a backslash in it");
    }
    if name.starts_with('/') {
        return Soundness::Hostile("which is an absolute path");
    }
    if name.split('/').any(|part| part == "..") {
        return Soundness::Hostile("which leads out of its folder");
    }
    let odd_part = |part: &str| {
        part.is_empty() || part == "." || part.len() > LONGEST_PART || part.ends_with(['.', ' ']) || is_device(part)
    };
    let odd_letter = |letter: char| letter.is_control() || "<>:\"|?*".contains(letter);
    match name.len() > LONGEST_NAME || name.split('/').any(odd_part) || name.contains(odd_letter) {
        true => Soundness::Odd,
        false => Soundness::Sound,
    }
}

/// Names that mean a device on Windows, whatever follows the dot.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = |name: &str| {
        stem.strip_prefix(name).is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

fn is_lower_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Listing, HubError> {
        Listing::read("https://hub.example/api", "a/b", json.as_bytes())
    }

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn with_file(file: &str) -> String {
        format!(r#"{{"sha": "{COMMIT}", "siblings": [{file}]}}"#)
    }

    #[test]
    fn files_have_sizes_and_checksums() {
        let sha256 = "ab".repeat(32);
        let listing = read(&format!(
            r#"{{"sha": "{COMMIT}", "gated": "manual", "lastModified": "2024-01-01", "cardData": {{"license": "mit"}}, "siblings": [
                {{"rfilename": "config.json", "size": 3, "blobId": "{COMMIT}"}},
                {{"rfilename": "model.safetensors", "size": 134, "blobId": "{COMMIT}", "lfs": {{"sha256": "{sha256}", "size": 900, "pointerSize": 134}}}},
                {{"rfilename": "bare"}}]}}"#
        ))
        .unwrap();
        assert_eq!((listing.commit.as_str(), listing.facts.gated), (COMMIT, true));
        assert_eq!(listing.facts.license.as_deref(), Some("mit"));
        assert_eq!(listing.file("config.json").unwrap().checksum, Checksum::from_tag(COMMIT));
        let weights = listing.file("model.safetensors").unwrap();
        assert_eq!((weights.size, &weights.checksum), (Some(900), &Checksum::from_tag(&sha256)));
        assert_eq!(listing.file("bare").unwrap().size, None);
    }

    #[test]
    fn names_that_lead_elsewhere_end_it() {
        for (name, word) in [
            ("../x", "leads out"),
            ("a/../../x", "leads out"),
            ("/etc/passwd", "absolute"),
            (r"a\\..\\x", "backslash"),
            (r"a\u0000.json", "NUL"),
        ] {
            let error = read(&with_file(&format!(r#"{{"rfilename": "{name}"}}"#))).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("nothing is fetched"), "{error}");
        }
        for name in ["a//b", "./a", "a:b", "con.txt", "LPT1", "a.", "", "a\\nb", "a/b?"] {
            assert!(read(&with_file(&format!(r#"{{"rfilename": "{name}"}}"#))).unwrap().files.is_empty(), "{name}");
        }
        assert_eq!(read(&with_file(r#"{"rfilename": "onnx/a b.onnx"}"#)).unwrap().files.len(), 1);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (json, word) in [
            ("", "EOF"),
            ("<html>", "expected value"),
            (r#"{"sha": "../../x"}"#, "names the commit"),
            (r#"{"siblings": []}"#, "sha"),
            (
                r#"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"rfilename": "a", "size": -1}]}"#,
                "invalid value",
            ),
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("HF_ENDPOINT"), "{json}: {error}");
        }
        let huge = with_file(r#"{"rfilename": "model.safetensors", "size": 99999999999999}"#);
        assert!(matches!(read(&huge), Err(HubError::TooLarge { size: 99_999_999_999_999, .. })));
    }
}
