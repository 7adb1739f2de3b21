//! `/v1/live` and `/v1/realtime`: live transcription, and secrets for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::to_bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::error::ApiError;
use crate::guard::{Opened, protocols};
use crate::keys::Client;
use crate::live::realtime::{Config, Form};
use crate::live::{self, Dialect, Ear, Ending, Kept, Native, Realtime, Seat, Wanted};
use crate::state::Shared;

/// How long a client may take to say what it wants, or to send its first sound.
const FIRST: Duration = Duration::from_secs(30);
/// How long a secret is good for if nothing else is asked, and at most, in seconds.
const SECRET: u64 = 60;
const LONGEST_SECRET: u64 = 7200;
/// Most bytes of the description of a session.
const MOST_BYTES: usize = 64 << 10;

/// A way to upgrade that is none is an answer of this server, too.
type Upgrade = Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>;

fn upgraded(shared: &Shared, upgrade: Upgrade) -> Result<WebSocketUpgrade, ApiError> {
    let upgrade =
        upgrade.map_err(|error| ApiError::bad("upgrade", format!("this is a WebSocket: {}", error.body_text())))?;
    shared.readiness()?;
    let most = shared.settings.max_live_frame_bytes;
    Ok(upgrade.max_message_size(most).max_frame_size(most).write_buffer_size(0).protocols(["realtime", "amanuensis"]))
}

/// `GET /v1/live`.
pub(super) async fn native(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let upgrade = upgraded(&shared, upgrade)?;
    let seat = shared.live.take(&client.name)?;
    Ok(upgrade.on_upgrade(move |socket| native_session(shared, client, seat, socket)))
}

async fn native_session(shared: Arc<Shared>, client: Client, seat: Seat, mut socket: WebSocket) {
    // The first message says what is wanted, unless it is sound.
    let first = timeout(FIRST, async {
        loop {
            match socket.recv().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return other,
            }
        }
    });
    let (wanted, sound) = match first.await {
        Ok(Some(Ok(Message::Text(text)))) => (Wanted::read(text.as_str()), None),
        Ok(Some(Ok(Message::Binary(bytes)))) => (Ok(Wanted::default()), Some(bytes)),
        Err(_) => (Err(ApiError::too_slow(format!("nothing came for {} seconds", FIRST.as_secs()))), None),
        Ok(_) => return,
    };
    let begun = wanted.and_then(|wanted| begin(&shared, &client, seat, &wanted));
    let (mut kept, resumed) = match begun {
        Ok(begun) => begun,
        Err(error) => return live::refuse(socket, &error).await,
    };
    let greeting = kept.native.greet(&kept.ear, shared.settings.live_resume, resumed);
    let fed = sound.map_or(Ok(()), |sound| kept.ear.feed(&sound));
    if let Err(error) = fed {
        return live::refuse(socket, &error).await;
    }
    let Kept { ear, native, seat } = &mut kept;
    let ending = live::serve(&shared, socket, seat, ear, native, greeting).await;
    if matches!(ending, Ending::Lost) && !kept.native.is_done() && !shared.is_stopping() {
        kept.ear.rest();
        shared.live.keep(kept);
    }
}

/// A new session, or one that goes on: with the last line of it that its client has seen.
fn begin(
    shared: &Arc<Shared>,
    client: &Client,
    seat: Seat,
    wanted: &Wanted,
) -> Result<(Kept, Option<Option<u64>>), ApiError> {
    match wanted.resume() {
        Some((id, after)) => {
            let kept = shared.live.back(id, &client.name)?;
            Ok((kept, Some(after)))
        }
        None => {
            shared.live.settle(&client.name);
            let ear = Ear::new(Arc::clone(shared), &client.name, wanted.task(shared.settings.max_live_lag))?;
            Ok((Kept { ear, native: Native::new(wanted), seat }, None))
        }
    }
}

/// `GET /v1/realtime`.
pub(super) async fn realtime(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    opened: Option<Extension<Opened>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let upgrade = upgraded(&shared, upgrade)?;
    if let Some(intent) = query.get("intent").filter(|intent| *intent != "transcription") {
        return Err(ApiError::bad("intent", format!("{intent:?} is not done here; the intent is transcription")));
    }
    let mut config = opened.map_or_else(Config::default, |Extension(Opened(config))| Config::clone(&config));
    if let Some(model) = query.get("model") {
        config = config.with_model(model);
    }
    let is_beta = headers.get("openai-beta").is_some_and(|value| value.as_bytes() == b"realtime=v1")
        || protocols(&headers).any(|protocol| protocol == "openai-beta.realtime-v1");
    let form = if is_beta { Form::Beta } else { Form::General };
    let lag = shared.settings.max_live_lag;
    let mut ear = Ear::new(Arc::clone(&shared), &client.name, config.task(lag))?;
    let seat = shared.live.take(&client.name)?;
    shared.live.settle(&client.name);
    let mut session = Realtime::new(config, form, lag, now() + shared.settings.max_live_seconds);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let greeting = vec![session.greet()];
        live::serve(&shared, socket, &seat, &mut ear, &mut session, greeting).await;
    }))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The JSON object in a body.
async fn read(shared: &Shared, request: Request) -> Result<Map<String, Value>, ApiError> {
    let body = to_bytes(request.into_body(), MOST_BYTES);
    let body = timeout(shared.settings.body_idle(), body)
        .await
        .map_err(|_| ApiError::too_slow("the body did not come in time"))?
        .map_err(|_| {
            ApiError::too_large(format!("the description of a session has {} KiB at most", MOST_BYTES >> 10))
        })?;
    serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad("session", format!("the body is not a JSON object: {error}")))
}

/// A secret for a session of this configuration.
fn secret(shared: &Shared, client: &Client, config: Config, seconds: u64) -> Result<(String, u64), ApiError> {
    shared.models.resolve(config.model())?;
    shared.secrets.make(client, config, Duration::from_secs(seconds))
}

/// `POST /v1/realtime/transcription_sessions`, the form of the beta.
pub(super) async fn transcription_sessions(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let config = Config::default().updated(&Value::Object(read(&shared, request).await?), Form::Beta)?;
    let id = format!("sess_{}", crate::guard::random_name());
    let mut session = config.shown(&id, 0, Form::Beta);
    let (value, expires_at) = secret(&shared, &client, config, SECRET)?;
    session["expires_at"] = json!(expires_at);
    session["client_secret"] = json!({ "value": value, "expires_at": expires_at });
    Ok(Json(session))
}

/// `POST /v1/realtime/client_secrets`.
pub(super) async fn client_secrets(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let body = read(&shared, request).await?;
    let known = |name: &str| ["session", "expires_after"].contains(&name);
    if let Some(other) = body.keys().find(|name| !known(name)) {
        return Err(ApiError::bad(other, format!("unknown parameter: '{other}'")));
    }
    let config = match body.get("session") {
        Some(session) => Config::default().updated(session, Form::General)?,
        None => Config::default(),
    };
    let seconds = match body.get("expires_after").filter(|after| !after.is_null()) {
        None => 600,
        Some(after) => {
            let seconds = after.get("seconds").map_or(Some(600), Value::as_u64);
            let is_anchored = after.get("anchor").is_none_or(|anchor| anchor == "created_at");
            seconds.filter(|seconds| is_anchored && (10..=LONGEST_SECRET).contains(seconds)).ok_or_else(|| {
                let message = format!("it is {{\"anchor\":\"created_at\",\"seconds\":10 to {LONGEST_SECRET}}}");
                ApiError::bad("expires_after", message)
            })?
        }
    };
    let id = format!("sess_{}", crate::guard::random_name());
    let mut session = config.shown(&id, 0, Form::General);
    let (value, expires_at) = secret(&shared, &client, config, seconds)?;
    session["expires_at"] = json!(expires_at);
    Ok(Json(json!({ "value": value, "expires_at": expires_at, "session": session })))
}
