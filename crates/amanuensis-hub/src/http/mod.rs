//! Requests to the hub, over https, with the token to the hub alone.

mod address;
mod retry;
mod trust;

use std::io::{self, Read};

use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode};

use crate::error::HubError;
use crate::settings::{Settings, Token};
use address::Address;
pub(crate) use address::quoted;
pub(crate) use retry::{Attempts, Failure, repeatedly};

/// The hub leads to where large files lie in one step, and to where a repository has moved in another.
const MOST_REDIRECTS: usize = 8;

/// As much of an error's page as is read.
const LONGEST_MESSAGE: u64 = 8192;

/// As much of it as is shown.
const LONGEST_SHOWN: usize = 200;

/// Who asks, to servers that count their clients.
const NAME: &str = concat!("amanuensis/", env!("CARGO_PKG_VERSION"));

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Only what describes it.
    Head,
    /// All of it from this byte on.
    From(u64),
}

/// What a server answers, once all redirects are followed.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The address asked for, without what proves the right to it.
    pub(crate) url: String,
    /// Who answered.
    pub(crate) host: String,
    headers: HeaderMap,
    /// What the hub itself said on the way to where the file lies.
    of_the_hub: Vec<HeaderMap>,
    body: ureq::Body,
}

/// The way to a hub.
pub(crate) struct Client {
    agent: Agent,
    endpoint: Address,
    token: Option<Token>,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, HubError> {
        let endpoint = Address::parse(&settings.endpoint).ok_or_else(|| HubError::Answer {
            url: settings.endpoint.clone(),
            reason: "HF_ENDPOINT is no address of a server".to_owned(),
        })?;
        let configuration = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(NAME)
            .timeout_connect(Some(settings.answer_timeout))
            .timeout_recv_response(Some(settings.answer_timeout))
            .timeout_per_read(Some(settings.silence_timeout))
            .tls_config(trust::of(settings)?)
            .build();
        Ok(Self { agent: configuration.new_agent(), endpoint, token: settings.token.clone() })
    }

    /// The server, as a person knows it.
    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.as_str().to_owned()
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Asks for a path on the hub. An answer may be an error that its caller understands; what may pass with time is a
    /// failure.
    pub(crate) fn ask(&self, path: &str, ask: Ask) -> Result<Answer, Failure> {
        let mut address = self.endpoint.with_path(path);
        let mut of_the_hub = Vec::new();
        // Once led elsewhere, nobody gets the token any more.
        let mut at_the_hub = true;
        for _ in 0..=MOST_REDIRECTS {
            at_the_hub = at_the_hub && address.is_same_server(&self.endpoint);
            let response = self.send(&address, ask, at_the_hub)?;
            let (status, headers) = (response.status(), response.headers());
            if at_the_hub {
                of_the_hub.push(headers.clone());
            }
            let location = headers.get("location").and_then(|value| value.to_str().ok());
            if let (true, Some(location)) = (status.is_redirection(), location) {
                let next = address.joined(location).ok_or_else(|| {
                    let reason = "it leads to what is no address".to_owned();
                    Failure::Final(HubError::Answer { url: address.shown(), reason })
                })?;
                self.refuse_unencrypted(&next)?;
                // What describes a large file is said here; whoever only has it need not be asked.
                if ask == Ask::Head && !next.is_same_server(&self.endpoint) {
                    return Ok(self.answer(response, &address, of_the_hub));
                }
                address = next;
                continue;
            }
            let answer = self.answer(response, &address, of_the_hub);
            let elsewhere_refused =
                !at_the_hub && status.is_client_error() && status != StatusCode::RANGE_NOT_SATISFIABLE;
            if status.is_server_error() || [408, 425, 429].contains(&status.as_u16()) || elsewhere_refused {
                return Err(answer.into_failure());
            }
            return Ok(answer);
        }
        let reason = format!("it leads on and on, more than {MOST_REDIRECTS} times");
        Err(Failure::Final(HubError::Answer { url: address.shown(), reason }))
    }

    fn send(&self, address: &Address, ask: Ask, at_the_hub: bool) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        self.refuse_unencrypted(address)?;
        let mut request = match ask {
            Ask::Head => self.agent.head(address.as_str()),
            Ask::From(_) => self.agent.get(address.as_str()),
        };
        request = request.header("accept-encoding", "identity");
        if let Ask::From(start @ 1..) = ask {
            request = request.header("range", format!("bytes={start}-"));
        }
        if let (true, Some(token)) = (at_the_hub, &self.token) {
            request = request.header("authorization", token.header());
        }
        if address.is_loopback() {
            request = request.config().proxy(None).build();
        }
        request.call().map_err(|error| Failure::of(error, address))
    }

    fn answer(
        &self,
        response: ureq::http::Response<ureq::Body>,
        address: &Address,
        of_the_hub: Vec<HeaderMap>,
    ) -> Answer {
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            url: address.shown(),
            host: address.host().to_owned(),
            headers: parts.headers,
            of_the_hub,
            body,
        }
    }

    /// Everything is encrypted, except where a person named a server that is not, or on this machine.
    fn refuse_unencrypted(&self, address: &Address) -> Result<(), Failure> {
        match address.is_encrypted() || !self.endpoint.is_encrypted() {
            true => Ok(()),
            false => Err(Failure::Final(HubError::NotEncrypted { url: address.shown() })),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What the hub said last of a thing, wherever the file came from in the end.
    pub(crate) fn header_of_the_hub(&self, name: &str) -> Option<&str> {
        self.of_the_hub.iter().rev().find_map(|headers| headers.get(name)?.to_str().ok())
    }

    /// The bytes that follow.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header("content-length").and_then(|text| text.trim().parse().ok())
    }

    /// The bytes of a part: where it starts, and of how many in all.
    pub(crate) fn part(&self) -> Option<(u64, Option<u64>)> {
        let (range, all) = self.header("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
        let start = range.split_once('-')?.0.trim().parse().ok()?;
        Some((start, all.trim().parse().ok()))
    }

    pub(crate) fn into_reader(self) -> impl Read {
        self.body.into_reader()
    }

    /// All of it, if it is no longer than `limit`.
    pub(crate) fn read(self, limit: u64) -> Result<Vec<u8>, Failure> {
        let url = self.url.clone();
        let length = self.length();
        let mut content = Vec::new();
        let read = self.into_reader().take(limit + 1).read_to_end(&mut content);
        if content.len() as u64 > limit || length.is_some_and(|length| length > limit) {
            let size = length.unwrap_or(content.len() as u64);
            return Err(Failure::Final(HubError::TooLarge { file: url, size, limit }));
        }
        match read {
            Ok(_) => Ok(content),
            Err(error) => Err(Failure::broken(url, &error)),
        }
    }

    /// What a server says about an error, in a line.
    pub(crate) fn message(&mut self) -> String {
        let header = self.header("x-error-message").map(str::to_owned);
        let text = header.unwrap_or_else(|| {
            let mut page = Vec::new();
            // A page that breaks off says less.
            let _: io::Result<usize> = self.body.as_reader().take(LONGEST_MESSAGE).read_to_end(&mut page);
            let json: Option<serde_json::Value> = serde_json::from_slice(&page).ok();
            json.and_then(|json| Some(json.get("error")?.as_str()?.to_owned())).unwrap_or_default()
        });
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().take(LONGEST_SHOWN).collect()
    }

    /// An answer that may be another one later.
    fn into_failure(mut self) -> Failure {
        let wait = self.header("retry-after").and_then(|text| text.trim().parse().ok());
        let message = self.message();
        Failure::status(self.url, self.status, message, wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_from_an_encrypted_server_to_one_that_is_not() {
        let to = |endpoint: &str, address: &str| {
            let settings = Settings { endpoint: endpoint.to_owned(), ..Settings::from_variables(&|_| None) };
            let client = Client::new(&settings).unwrap();
            match client.refuse_unencrypted(&Address::parse(address).unwrap()) {
                Ok(()) => None,
                Err(Failure::Final(error)) => Some(error.to_string()),
                Err(Failure::Passing(_)) => panic!("it would be the same again"),
            }
        };
        for address in ["http://cdn.example/x", "http://127.0.0.1/x", "http://huggingface.co/"] {
            let refused = to("https://huggingface.co", address).unwrap();
            assert!(refused.starts_with(address) && refused.contains("https only"), "{refused}");
        }
        assert_eq!(to("https://huggingface.co", "https://cdn.example/x"), None);
        assert_eq!(to("http://mirror.example", "http://store.example/x"), None);
    }
}
