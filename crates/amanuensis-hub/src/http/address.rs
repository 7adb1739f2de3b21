//! Addresses of servers, as far as it matters who they are.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::Scheme;

/// An address with a scheme and a server.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    text: String,
    uri: Uri,
    host: String,
}

impl Address {
    /// Reads an address of http or https without a user in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme()?;
        let authority = uri.authority()?;
        let host = uri.host()?.to_ascii_lowercase();
        let sound = (*scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)
            && !host.is_empty()
            && !authority.as_str().contains('@');
        sound.then(|| Self { text: text.to_owned(), uri, host })
    }

    /// A path on the same server, behind the path of this address.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        let joined = format!("{}{path}", self.text.trim_end_matches('/'));
        Self::parse(&joined).unwrap_or_else(|| self.clone())
    }

    /// Where an answer from here leads.
    pub(crate) fn joined(&self, location: &str) -> Option<Self> {
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.uri.scheme_str()?));
        }
        if location.starts_with('/') {
            return Self::parse(&format!("{}://{}{location}", self.uri.scheme_str()?, self.uri.authority()?));
        }
        Self::parse(location)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// As it may be shown: what follows the path of an address can be a key to it.
    pub(crate) fn shown(&self) -> String {
        self.text.split(['?', '#']).next().unwrap_or_default().to_owned()
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// Whether it is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// Whether both are one server, spoken to in one way.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        self.uri.scheme() == other.uri.scheme() && self.host == other.host && self.port() == other.port()
    }

    fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }
}

/// A part of a path, written so that it stays one.
pub(crate) fn quoted(part: &str, kept: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.as_bytes().contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn servers_are_told_apart_by_scheme_name_and_port() {
        let hub = address("https://huggingface.co");
        for same in ["https://huggingface.co/a?b", "https://HuggingFace.co:443/x"] {
            assert!(hub.is_same_server(&address(same)), "{same}");
        }
        for other in [
            "http://huggingface.co/",
            "https://huggingface.co:8443/",
            "https://huggingface.co.evil.example/",
            "https://evil/huggingface.co",
        ] {
            assert!(!hub.is_same_server(&address(other)), "{other}");
        }
    }

    #[test]
    fn answers_lead_to_whole_addresses() {
        let from = address("https://hub.example/api/x");
        let to = |location: &str| from.joined(location).map(|address| address.text);
        assert_eq!(to("/y?z=1").as_deref(), Some("https://hub.example/y?z=1"));
        assert_eq!(to("//other.example/y").as_deref(), Some("https://other.example/y"));
        assert_eq!(to("http://other.example/y").as_deref(), Some("http://other.example/y"));
        for wrong in ["file:///etc/passwd", "y", "", "https://user@other.example/", "javascript:x", "https://"] {
            assert_eq!(to(wrong), None, "{wrong}");
        }
        assert_eq!(address("https://cdn.example/file?Signature=secret").shown(), "https://cdn.example/file");
    }

    #[test]
    fn this_machine_has_several_names() {
        for here in ["http://127.0.0.1:80/", "http://localhost", "http://[::1]:9/"] {
            assert!(address(here).is_loopback(), "{here}");
        }
        assert!(!address("http://127.0.0.1.evil.example/").is_loopback());
    }

    #[test]
    fn parts_of_paths_stay_parts() {
        assert_eq!(quoted("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(quoted("onnx/a b?.onnx", "/"), "onnx/a%20b%3F.onnx");
    }
}
