//! What every request passes before its endpoint, and every answer behind it: a number, the right to ask, the origin,
//! the headers that keep a browser careful, a line in the log.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tracing::Instrument;

use crate::error::ApiError;
use crate::keys::{Client, Scope};
use crate::live::realtime::Config;
use crate::state::Shared;

/// Longest number of a request that is taken over from a client.
const LONGEST_ID: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING: HeaderName = HeaderName::from_static("openai-processing-ms");
/// What a request that is not known was not taken as.
pub(crate) const WARNING: HeaderName = HeaderName::from_static("x-amanuensis-warning");

/// Where secrets for one session are taken.
const REALTIME: &str = "/v1/realtime";
/// What stands before a key among the protocols of a WebSocket, as OpenAI's pages have it.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// The page loads nothing from elsewhere, and nobody frames it.
const POLICY: &str = "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; connect-src 'self'; \
                      object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The session that was opened by a secret of its own.
#[derive(Clone)]
pub(crate) struct Opened(pub(crate) Arc<Config>);

/// Around everything: gives the request its number, times it, writes a line about it and dresses the answer.
pub(crate) async fn surround(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request.headers().get(REQUEST_ID).and_then(sane_id).unwrap_or_else(new_id);
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let endpoint = matched.unwrap_or_else(|| "unmatched".to_owned());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = match foreign(&shared, &request) {
        Err(error) => {
            drain(request).await;
            Err(error.into_response())
        }
        Ok(()) if method == Method::OPTIONS && origin.is_some() => Err(StatusCode::NO_CONTENT.into_response()),
        Ok(()) => Ok(request),
    };
    let mut response = match allowed {
        Ok(request) => next.run(request).instrument(tracing::info_span!("request", id, endpoint)).await,
        Err(response) => response,
    };
    let status = response.status();
    let took = began.elapsed();
    let headers = response.headers_mut();
    set(headers, REQUEST_ID, &id);
    set(headers, PROCESSING, &took.as_millis().to_string());
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Some(origin) = origin.filter(|origin| is_allowed(&shared, origin)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, idempotency-key, x-request-id"),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "x-request-id, retry-after, x-amanuensis-warning"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    shared.metrics.request(&endpoint, status.as_u16(), took);
    // Neither what was asked nor what was said: a log is read by others than a recording.
    let (milliseconds, status) = (took.as_millis() as u64, status.as_u16());
    tracing::info!(%method, endpoint, status, milliseconds, request = id, "answered");
    response
}

/// Before an endpoint that needs a scope: lets in who may ask for it, and not too often.
pub(crate) async fn admit(
    State((shared, scope)): State<(Arc<Shared>, Option<Scope>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(scope) = scope else { return next.run(request).await };
    let admitted = client(&shared, &request, scope)
        .and_then(|(client, opened)| shared.gate.pass(&client.name, Instant::now()).map(|pass| (client, opened, pass)));
    let (client, opened, pass) = match admitted {
        Ok(admitted) => admitted,
        Err(error) => {
            drain(request).await;
            return error.into_response();
        }
    };
    request.extensions_mut().insert(client);
    if let Some(opened) = opened {
        request.extensions_mut().insert(opened);
    }
    let response = next.run(request).await;
    // A stream is running until its last byte, or until its client has gone.
    response.map(|body| Body::new(Kept { body, _kept: pass }))
}

/// How long what a client is still sending is taken, once it is refused.
pub(crate) const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// Takes what a client is still sending, within bounds, before it is refused: one that is cut off while it writes reads no
/// answer.
pub(crate) async fn drain(request: Request) {
    const MOST_BYTES: usize = 16 << 20;
    let mut body = request.into_body();
    let mut bytes = 0;
    let take = async {
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, |data| data.len());
            if bytes > MOST_BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(LONGEST_DRAIN, take).await;
}

/// A body that keeps something until it is over.
pub(crate) struct Kept<K> {
    pub(crate) body: Body,
    pub(crate) _kept: K,
}

impl<K: Unpin + Send> axum::body::HttpBody for Kept<K> {
    type Data = <Body as axum::body::HttpBody>::Data;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

/// Who asks.
fn client(shared: &Shared, request: &Request, scope: Scope) -> Result<(Client, Option<Opened>), ApiError> {
    let key = key(request);
    if request.uri().path() == REALTIME
        && let Some(admitted) = key.as_deref().and_then(|key| shared.secrets.admit(key))
    {
        return admitted.map(|(client, config)| (client, Some(Opened(config))));
    }
    if shared.keys.is_empty() {
        let peer = request.extensions().get::<Peer>();
        let name = peer.map_or_else(|| "unknown".to_owned(), |Peer(peer)| peer.ip().to_string());
        return Ok((Client { name, is_admin: false }, None));
    }
    Ok((shared.keys.admit(key.as_deref(), scope)?, None))
}

/// The key of a request. A page cannot give a WebSocket headers: there it stands in the address, or among the protocols.
fn key(request: &Request) -> Option<String> {
    let headers = request.headers();
    let spelled = || {
        let query = request.uri().query().unwrap_or_default();
        let token = query.split('&').find_map(|pair| pair.strip_prefix("token=")).map(decoded);
        token.or_else(|| protocols(headers).find_map(|name| name.strip_prefix(KEY_PROTOCOL).map(str::to_owned)))
    };
    bearer(headers).map(str::to_owned).or_else(|| is_upgrade(headers).then(spelled).flatten())
}

/// A value of a query, whose bytes may be written as `%20`.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a request is to become a WebSocket.
fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The protocols that a WebSocket may speak.
pub(crate) fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The key in `Authorization: Bearer KEY`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Refuses what a page of another site asks in its reader's name: it needs no key where none is asked for, and a server on
/// this machine is reached from every page that its browser shows.
fn foreign(shared: &Shared, request: &Request) -> Result<(), ApiError> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if shared.keys.is_empty() && !shared.settings.insecure && !is_this_machine(host) {
        // A name that somebody else points at this machine.
        let message =
            format!("this server answers to localhost and to addresses, not to {host:?}; give it keys to use a name");
        return Err(ApiError { code: Some("foreign_host"), ..ApiError::forbidden(message) });
    }
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let own = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let is_own = own.and_then(|uri| uri.authority().map(|authority| authority.as_str() == host)).unwrap_or(false);
    // What a page of another site reads by GET, its browser keeps from it; what a WebSocket says, it does not.
    let is_read = request.method() == Method::GET && !is_upgrade(request.headers());
    if is_own || is_allowed(shared, origin) || is_read {
        return Ok(());
    }
    let message = "pages of other sites may not ask here; the setting allow_origin names those that may";
    Err(ApiError { code: Some("foreign_origin"), ..ApiError::forbidden(message) })
}

fn is_allowed(shared: &Shared, origin: &HeaderValue) -> bool {
    shared.settings.allow_origin.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
}

/// Whether the host of a request is an address or this machine's own name.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn sane_id(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let is_sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    ((1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_sane)).then(|| text.to_owned())
}

fn new_id() -> String {
    format!("req_{}", random_name())
}

/// A name that nobody can guess: 128 bits of the system's randomness.
pub(crate) fn random_name() -> String {
    let mut bytes = [0_u8; 16];
    // `tempfile` and the TLS library stand on the same source; without it nothing of the process works.
    if getrandom::fill(&mut bytes).is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        bytes = now.as_nanos().to_le_bytes();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Puts warnings into the header of an answer.
pub(crate) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let plain: String =
            warning.chars().map(|character| if character.is_ascii_graphic() { character } else { ' ' }).collect();
        if let Ok(value) = HeaderValue::from_str(&plain) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]:8000", "[::1]", "192.168.0.4"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn numbers_of_requests_are_plain() {
        assert_eq!(sane_id(&HeaderValue::from_static("a-1.b:c_D")).as_deref(), Some("a-1.b:c_D"));
        let long = "x".repeat(LONGEST_ID + 1);
        for id in ["", "a b", "a\"b", "<x>", long.as_str()] {
            assert_eq!(HeaderValue::from_str(id).ok().as_ref().and_then(sane_id), None, "{id}");
        }
        assert_ne!(new_id(), new_id());
    }

    #[test]
    fn the_key_of_a_websocket_may_stand_elsewhere() {
        let key_of = |uri: &str, headers: &[(&str, &str)]| {
            let mut request = Request::builder().uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            key(&request.body(Body::empty()).unwrap())
        };
        let upgrade = ("upgrade", "WebSocket");
        let protocols = ("sec-websocket-protocol", "realtime, openai-insecure-api-key.sk-x");
        assert_eq!(key_of("/v1/live?a=b&token=sk%2Dx%", &[upgrade]).as_deref(), Some("sk-x%"));
        assert_eq!(key_of("/v1/live", &[upgrade, protocols]).as_deref(), Some("sk-x"));
        assert_eq!(key_of("/v1/live?token=x", &[upgrade, ("authorization", "Bearer y")]).as_deref(), Some("y"));
        assert_eq!(key_of("/v1/models?token=sk-x", &[protocols]), None, "only of a WebSocket");
    }

    #[test]
    fn keys_come_as_bearers() {
        let bearer_of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(bearer_of("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(bearer_of("bearer  abc "), Some("abc".to_owned()));
        assert_eq!(bearer_of("Basic abc"), None);
        assert_eq!(bearer_of("abc"), None);
    }
}
