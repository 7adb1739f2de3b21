//! What a person calls a model on the hub.

use std::fmt;

use crate::model::KNOWN_MODELS;

/// The revision that is meant where none is named.
const MAIN: &str = "main";

/// The longest part of a name. Hugging Face allows 96 characters.
const LONGEST_PART: usize = 96;

/// A model on the hub: `base`, `organisation/name`, with `@revision` for another revision than `main`, and with `:file`
/// for one file of a repository that holds several models.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HubName {
    /// `organisation/name`
    pub repository: String,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// The file, where the repository holds several models.
    pub file: Option<String>,
}

impl HubName {
    /// Reads a name; none where the text cannot be one. All parts become parts of file names, and none leads anywhere
    /// else.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(['@', ':']).unwrap_or(text.len());
        let (name, mut rest) = text.split_at_checked(end)?;
        let repository = KNOWN_MODELS.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
        let (organisation, of_organisation) = repository.split_once('/')?;
        if !is_repository_part(organisation) || !is_repository_part(of_organisation) {
            return None;
        }
        let (mut revision, mut file) = (None, None);
        while let Some(sign) = rest.chars().next() {
            let behind = rest.get(1..)?;
            let end = behind.find(['@', ':']).unwrap_or(behind.len());
            let (value, remaining) = behind.split_at_checked(end)?;
            let place = if sign == '@' { &mut revision } else { &mut file };
            if place.is_some() || !is_path(value) {
                return None;
            }
            *place = Some(value.to_owned());
            rest = remaining;
        }
        Some(Self { repository: repository.to_owned(), revision: revision.unwrap_or_else(|| MAIN.to_owned()), file })
    }

    /// Whether the revision is a commit, which never changes.
    pub fn names_a_commit(&self) -> bool {
        is_commit(&self.revision)
    }
}

/// As it is given on a command line.
impl fmt::Display for HubName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.repository)?;
        if self.revision != MAIN {
            write!(formatter, "@{}", self.revision)?;
        }
        match &self.file {
            Some(file) => write!(formatter, ":{file}"),
            None => Ok(()),
        }
    }
}

/// Forty digits of hexadecimal.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A part of a repository's name. `--` stands for `/` in the names of folders.
fn is_repository_part(text: &str) -> bool {
    is_part(text) && !text.contains("--")
}

/// Parts with `/` between, as in the revision `refs/pr/1` and the file `onnx/encoder_model.onnx`.
fn is_path(text: &str) -> bool {
    text.split('/').all(is_part)
}

fn is_part(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_PART
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+=".contains(&byte))
        && !text.starts_with(['.', '-'])
        && !text.ends_with('.')
        && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, String, Option<String>)> {
        HubName::parse(text).map(|name| (name.repository, name.revision, name.file))
    }

    #[test]
    fn names_have_a_repository_a_revision_and_maybe_a_file() {
        let expected = |repository: &str, revision: &str, file: Option<&str>| {
            Some((repository.to_owned(), revision.to_owned(), file.map(str::to_owned)))
        };
        let base = "openai/whisper-base";
        let cpp = "ggerganov/whisper.cpp";
        for (text, wanted) in [
            ("base", expected(base, "main", None)),
            ("base@refs/pr/3", expected(base, "refs/pr/3", None)),
            ("Systran/faster-whisper-large-v3", expected("Systran/faster-whisper-large-v3", "main", None)),
            ("ggerganov/whisper.cpp:ggml-base.bin", expected(cpp, "main", Some("ggml-base.bin"))),
            ("ggerganov/whisper.cpp@v1:ggml-base.bin", expected(cpp, "v1", Some("ggml-base.bin"))),
            ("ggerganov/whisper.cpp:ggml-base.bin@v1", expected(cpp, "v1", Some("ggml-base.bin"))),
            ("a/b:onnx/encoder_model.onnx", expected("a/b", "main", Some("onnx/encoder_model.onnx"))),
        ] {
            assert_eq!(parts(text), wanted, "{text}");
            let name = HubName::parse(text).unwrap();
            assert_eq!(HubName::parse(&name.to_string()), Some(name), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_name() {
        for text in [
            "",
            "bsae",
            "a",
            "a/",
            "/a",
            "a/b/c",
            "a/..",
            "../a",
            "a/b@",
            "a/b:",
            "a/b@x@y",
            "a/b:x:y",
            "a/b@../x",
            "a/b:/x",
            "a/b:x//y",
            "a/b:x/../y",
            "a\\b/c",
            "a/b\0",
            "a--b/c",
            "a/b:.hidden",
            "a/b@ü",
            "ü/b",
            "~/m",
            "https://x/y",
            "a/b:c\\d",
        ] {
            assert_eq!(parts(text), None, "{text:?}");
        }
        assert_eq!(parts(&format!("a/{}", "b".repeat(97))), None);
    }

    #[test]
    fn commits_are_forty_digits() {
        assert!(HubName::parse(&format!("base@{}", "0a".repeat(20))).unwrap().names_a_commit());
        assert!(!HubName::parse("base@main").unwrap().names_a_commit());
    }
}
