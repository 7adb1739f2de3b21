//! The loop of a live session: what comes is heard, what is told goes out, and it ends in order.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::dialect::{Dialect, Frame};
use super::{Ear, Seat};
use crate::error::ApiError;
use crate::state::Shared;

/// How often is looked whether there is anything to do without being told.
const TICK: Duration = Duration::from_millis(500);
/// How often a client is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);
/// How long nothing may come of it, not even an answer to that.
const GONE: Duration = Duration::from_secs(60);
/// How long it may take to read a message.
const SLOWEST: Duration = Duration::from_secs(20);
/// Silence on the line behind which what was said so far is an utterance: a microphone was turned off.
const STALLED: Duration = Duration::from_secs(2);

/// How a session ended.
pub(crate) enum Ending {
    /// As it should, or by an error that was told.
    Over,
    /// The connection was lost: the client may come back.
    Lost,
}

/// A socket, and when something came of it last.
struct Line {
    socket: WebSocket,
    heard: Instant,
    pinged: Instant,
}

impl Line {
    async fn send(&mut self, message: Message) -> ControlFlow<Ending> {
        match timeout(SLOWEST, self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(Ending::Lost),
        }
    }

    async fn tell(&mut self, messages: Vec<Value>) -> ControlFlow<Ending> {
        for message in messages {
            self.send(Message::Text(message.to_string().into())).await?;
        }
        ControlFlow::Continue(())
    }

    /// Says why it ends, and waits a moment for the client to take it.
    async fn close(mut self, code: u16, reason: &str) {
        let mut end = reason.len().min(120);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let frame = CloseFrame { code, reason: Utf8Bytes::from(&reason[..end]) };
        if self.send(Message::Close(Some(frame))).await.is_continue() {
            let rest = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            let _ = timeout(Duration::from_secs(2), rest).await;
        }
    }
}

/// What happened to a session.
enum Event {
    Came(Option<Result<Message, axum::Error>>),
    Heard(Result<(), ApiError>),
    Stop,
    Tick,
}

/// Runs a session to its end.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    socket: WebSocket,
    seat: &Seat,
    ear: &mut Ear,
    dialect: &mut dyn Dialect,
    greeting: Vec<Value>,
) -> Ending {
    let mut line = Line { socket, heard: Instant::now(), pinged: Instant::now() };
    match run(shared, &mut line, seat, ear, dialect, greeting).await {
        Ok((code, reason)) => {
            line.close(code, reason).await;
            Ending::Over
        }
        Err(Stopped::Ending(ending)) => ending,
        Err(Stopped::Error(error)) => {
            let message = dialect.error(&error);
            if line.tell(vec![message]).await.is_continue() {
                line.close(code_of(&error), &error.message).await;
            }
            Ending::Over
        }
    }
}

/// Why a session stops before its end.
enum Stopped {
    Ending(Ending),
    Error(ApiError),
}

impl From<ApiError> for Stopped {
    fn from(error: ApiError) -> Self {
        Stopped::Error(error)
    }
}

fn flow(flow: ControlFlow<Ending>) -> Result<(), Stopped> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(ending) => Err(Stopped::Ending(ending)),
    }
}

/// Comes when the server is being stopped.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Says why there is no session.
pub(crate) async fn refuse(socket: WebSocket, error: &ApiError) {
    let now = Instant::now();
    let mut line = Line { socket, heard: now, pinged: now };
    if line.tell(vec![json!({ "type": "error", "error": error })]).await.is_continue() {
        line.close(code_of(error), &error.message).await;
    }
}

/// How a session is closed that ends by an error.
fn code_of(error: &ApiError) -> u16 {
    match error.status.as_u16() {
        500.. => close_code::ERROR,
        429 => close_code::AGAIN,
        _ => close_code::POLICY,
    }
}

async fn run(
    shared: &Arc<Shared>,
    line: &mut Line,
    seat: &Seat,
    ear: &mut Ear,
    dialect: &mut dyn Dialect,
    greeting: Vec<Value>,
) -> Result<(u16, &'static str), Stopped> {
    let settings = &shared.settings;
    let began = Instant::now();
    let mut stopping = shared.stopping();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The client says no more, or is not listened to any more, and why.
    let mut ending: Option<(u16, &'static str)> = None;
    flow(line.tell(greeting).await)?;
    loop {
        ear.listen();
        let mut out = Vec::new();
        for update in ear.updates() {
            dialect.tell(ear, update, &mut out);
        }
        flow(line.tell(out).await)?;
        seat.note(ear.lag());
        if let Some(ending) = ending
            && ear.is_over()
        {
            flow(line.tell(dialect.last(ear).into_iter().collect()).await)?;
            return Ok(ending);
        }
        let event = tokio::select! {
            heard = ear.hear() => Event::Heard(heard),
            came = line.socket.recv() => Event::Came(came),
            () = stopped(&mut stopping), if ending.is_none() => Event::Stop,
            _ = tick.tick() => Event::Tick,
        };
        let mut out = Vec::new();
        match event {
            Event::Heard(Ok(())) => {}
            Event::Heard(Err(error)) => dialect.failed(&error, &mut out),
            Event::Came(None | Some(Err(_))) => return Err(Stopped::Ending(Ending::Lost)),
            Event::Came(Some(Ok(message))) => {
                line.heard = Instant::now();
                let frame = match message {
                    Message::Text(text) => Frame::Text(text.as_str().to_owned()),
                    Message::Binary(bytes) => Frame::Binary(bytes.into()),
                    Message::Ping(_) | Message::Pong(_) => continue,
                    Message::Close(frame) => {
                        let is_end = frame.is_some_and(|frame| frame.code == close_code::NORMAL);
                        return Err(Stopped::Ending(if is_end { Ending::Over } else { Ending::Lost }));
                    }
                };
                // What comes behind the end is nothing to be heard.
                if ending.is_none() {
                    dialect.receive(ear, frame, &mut out)?;
                    if dialect.is_done() {
                        ending = Some((close_code::NORMAL, "done"));
                    }
                }
            }
            Event::Stop => {
                ear.finish();
                ending = Some((close_code::AWAY, "the server is being stopped"));
            }
            Event::Tick => {
                if line.heard.elapsed() > GONE {
                    return Err(Stopped::Ending(Ending::Lost));
                }
                if line.pinged.elapsed() > PING {
                    line.pinged = Instant::now();
                    flow(line.send(Message::Ping(Default::default())).await)?;
                }
                if ending.is_none() {
                    if began.elapsed().as_secs() >= settings.max_live_seconds {
                        ear.finish();
                        ending = Some((close_code::POLICY, "the session has lasted as long as sessions may here"));
                    } else if ear.idle().as_secs() >= settings.live_idle {
                        ear.finish();
                        ending = Some((close_code::POLICY, "no sound has come for as long as is waited for it"));
                    } else if dialect.ends_when_idle() && ear.idle() > STALLED && ear.uncommitted() > 0.0 {
                        ear.commit();
                    }
                }
            }
        }
        flow(line.tell(out).await)?;
    }
}
