//! Webhooks: the end of a job is told to an address that its client named, signed as Standard Webhooks has it.
//!
//! The address comes from outside, so it is not believed: the host is looked up once, every address that is found must be
//! public, and the connection goes to just these. What is answered is not read further than to know that it was.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::address;
use super::codes::{base64, from_base64};
use super::store::Delivery;
use crate::error::ApiError;

/// How long a try may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How long the way to the host may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read, so that the other side is not cut off while it speaks.
const MOST_ANSWER: u64 = 64 << 10;
/// Longest address.
const MOST_URL: usize = 2000;

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nobody is there who wants it: it is not tried again.
    #[error("the address answered 410 Gone")]
    Gone,
    #[error("the address answered {0}")]
    Status(u16),
    #[error(transparent)]
    Way(#[from] ureq::Error),
}

/// Sends messages.
pub(crate) struct Sender {
    secret: Vec<u8>,
    agent: ureq::Agent,
    allowed: Arc<[String]>,
}

impl Sender {
    /// Signs with `secret`: the bytes behind `whsec_` in base64, or the text as it is. Hosts in `allowed` may be private.
    pub(crate) fn new(secret: &str, allowed: &[String]) -> Self {
        let bytes = secret.strip_prefix("whsec_").and_then(from_base64);
        let allowed: Arc<[String]> = allowed.iter().map(|host| host.to_ascii_lowercase()).collect();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .timeout_connect(Some(CONNECT))
            .timeout_resolve(Some(CONNECT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // The proxies of the environment would look hosts up for themselves.
            .proxy(None)
            .max_idle_connections(0)
            .user_agent(concat!("amanuensis/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Guarded { inner: DefaultResolver::default(), allowed: Arc::clone(&allowed) };
        let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), resolver);
        Sender { secret: bytes.unwrap_or_else(|| secret.as_bytes().to_vec()), agent, allowed }
    }

    /// Refuses an address to which nothing would ever be sent.
    pub(crate) fn check(&self, url: &str) -> Result<(), ApiError> {
        // The address is not repeated: it may have a secret in it, and messages are kept in places where it is not.
        let wrong = |reason: &str| {
            Err(ApiError::bad("webhook_url", format!("webhook_url: no message can be sent to that address: {reason}")))
        };
        if url.len() > MOST_URL {
            return wrong(&format!("it is longer than {MOST_URL} bytes"));
        }
        let Ok(uri) = url.parse::<Uri>() else { return wrong("it is not a URL") };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return wrong("it begins neither with https:// nor with http://");
        }
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return wrong("it has no host");
        };
        if authority.as_str().contains('@') {
            return wrong("names and passwords do not belong into it");
        }
        let host = authority.host();
        // A port that is no number would be left out in silence.
        let port = authority.as_str().strip_prefix(host).unwrap_or_default();
        let is_port = |port: &str| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return wrong("its port is not a number from 1 to 65535");
        }
        match address::objection(host).filter(|_| !is_allowed(&self.allowed, bare(host))) {
            Some(reason) => wrong(reason),
            None => Ok(()),
        }
    }

    /// Tries to deliver a message, at `now` in seconds since 1970.
    pub(crate) fn send(&self, delivery: &Delivery, now: i64) -> Result<(), Refusal> {
        let answer = self
            .agent
            .post(&delivery.url)
            .header("content-type", "application/json")
            .header("webhook-id", &delivery.message)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", signature(&self.secret, &delivery.message, now, &delivery.body))
            .send(delivery.body.as_str())?;
        let status = answer.status();
        let mut body = answer.into_body().into_reader().take(MOST_ANSWER);
        // It has arrived, whatever becomes of the rest of the answer.
        let _ = std::io::copy(&mut body, &mut std::io::sink());
        match status.as_u16() {
            200..300 => Ok(()),
            410 => Err(Refusal::Gone),
            status => Err(Refusal::Status(status)),
        }
    }
}

fn signature(secret: &[u8], message: &str, now: i64, body: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(format!("{message}.{now}.{body}").as_bytes());
    format!("v1,{}", base64(&mac.finalize().into_bytes()))
}

/// A host without the brackets of an address of version 6.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_allowed(allowed: &[String], host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    allowed.contains(&host)
}

/// Looks hosts up, and finds only what may be connected to.
#[derive(Debug)]
struct Guarded {
    inner: DefaultResolver,
    allowed: Arc<[String]>,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        if is_allowed(&self.allowed, bare(uri.host().unwrap_or_default())) {
            return Ok(found);
        }
        // A host that has one address inside is not asked at its others either: it was made to be refused only sometimes.
        if found.iter().any(|socket| !address::is_public(socket.ip())) {
            let reason = "the host has an address that is not of the public internet";
            return Err(ureq::Error::Io(std::io::Error::new(std::io::ErrorKind::PermissionDenied, reason)));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    fn delivery(url: String) -> Delivery {
        Delivery { number: 1, message: "msg_1".to_owned(), url, body: "{}".to_owned(), tries: 0 }
    }

    /// Answers one request with `answer`; what was asked.
    fn listen(answer: String) -> (u16, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut reader, mut head, mut length) = (BufReader::new(stream.try_clone().unwrap()), String::new(), 0);
            loop {
                let before = head.len();
                reader.read_line(&mut head).unwrap();
                let line = head[before..].to_ascii_lowercase();
                length = line.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = stream.write_all(answer.as_bytes());
            head + &String::from_utf8(body).unwrap()
        });
        (port, thread)
    }

    fn answer(head: &str) -> String {
        format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    }

    #[test]
    fn the_example_of_the_standard_has_its_signature() {
        // https://github.com/standard-webhooks/standard-webhooks: its libraries' tests.
        let sender = Sender::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &[]);
        let signed =
            signature(&sender.secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(Sender::new("plain words", &[]).secret, b"plain words");
    }

    #[test]
    fn addresses_that_cannot_be_meant_are_refused_at_once() {
        let sender = Sender::new("x", &["Inside.example".to_owned(), "10.0.0.7".to_owned()]);
        for good in [
            "https://example.org/hook?x=1",
            "http://example.org:8080",
            "http://10.0.0.7/",
            "https://[2606:4700::1]:65535/",
        ] {
            assert!(sender.check(good).is_ok(), "{good}");
        }
        let wrong = [
            "ftp://example.org/",
            "file:///etc/passwd",
            "/hook",
            "example.org",
            "http://",
            "http://127.0.0.1/",
            "http://[::1]:80/",
            "http://[::ffff:169.254.169.254]/",
            "https://10.0.0.8/",
            "http://me:secret@example.org/",
            "javascript:1",
            "http://localhost/",
            "http://me.localhost:8080/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "https://example.org:0/",
            "https://example.org:65536/",
            "https://example.org:/",
            "https://[2606:4700::1]:99999/",
        ];
        for wrong in wrong {
            let error = sender.check(wrong).expect_err(wrong);
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some("webhook_url")));
            assert!(wrong == "/hook" || !error.message.contains(wrong), "{}", error.message);
        }
        assert!(sender.check(&format!("https://example.org/{}", "x".repeat(MOST_URL))).is_err());
    }

    #[test]
    fn a_message_is_signed_and_arrives() {
        let (port, asked) = listen(answer("204 No Content"));
        let sender = Sender::new("key", &["localhost".to_owned()]);
        sender.send(&delivery(format!("http://localhost:{port}/hook?a=b")), 1000).unwrap();
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{asked}");
        let signed = signature(b"key", "msg_1", 1000, "{}");
        let lines =
            ["webhook-id: msg_1", "webhook-timestamp: 1000", "content-type: application/json"].map(str::to_owned);
        for line in lines.into_iter().chain([format!("webhook-signature: {signed}")]) {
            assert!(asked.contains(&(line.clone() + "\r\n")), "{line} in {asked}");
        }
        assert!(asked.ends_with("\r\n\r\n{}"), "{asked}");
    }

    #[test]
    fn what_is_private_is_not_connected_to_under_any_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sender = Sender::new("key", &["other".to_owned()]);
        for host in
            ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"]
        {
            let result = sender.send(&delivery(format!("http://{host}:{port}/")), 1000);
            assert!(matches!(result, Err(Refusal::Way(_))), "{host}: {result:?}");
        }
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "nobody came");
    }

    #[test]
    fn redirects_are_not_followed_and_answers_are_told_apart() {
        let sender = Sender::new("key", &["localhost".to_owned()]);
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        other.set_nonblocking(true).unwrap();
        let location = format!("302 Found\r\nlocation: http://localhost:{}/", other.local_addr().unwrap().port());
        let told = |head: &str| {
            let (port, thread) = listen(answer(head));
            let result = sender.send(&delivery(format!("http://localhost:{port}/")), 1000);
            thread.join().unwrap();
            result
        };
        assert!(matches!(told(&location), Err(Refusal::Status(302))));
        assert!(other.accept().is_err(), "nobody came");
        assert!(matches!(told("410 Gone"), Err(Refusal::Gone)));
        assert!(matches!(told("500 Oh"), Err(Refusal::Status(500))));
    }

    #[test]
    fn a_long_answer_is_not_read_to_its_end() {
        let body = "x".repeat(10 << 20);
        let (port, thread) =
            listen(format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        let sender = Sender::new("key", &["localhost".to_owned()]);
        sender.send(&delivery(format!("http://localhost:{port}/")), 1000).unwrap();
        thread.join().unwrap();
    }
}
