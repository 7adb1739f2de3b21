//! Wyoming, by which Home Assistant asks for a transcript: events over a connection of its own port.
//!
//! It knows no keys, so it listens on this machine unless it is told that everybody may use it.

mod conversation;
mod event;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::error::ApiError;
use crate::guard::random_name;
use crate::state::Shared;
use conversation::{Conversation, refusal};
pub(crate) use event::Event;
use event::EventError;

/// How long a client may say nothing between two sounds.
const IDLE: Duration = Duration::from_secs(300);
/// How long an answer may take to be written.
const WRITE: Duration = Duration::from_secs(30);

/// Takes connections until the server stops, and waits for those that are being answered.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(shared.settings.max_connections));
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
            () = shared.stopped() => break,
        };
        let shared = Arc::clone(&shared);
        let span = tracing::info_span!("wyoming", request = format!("wy_{}", random_name()));
        let talk = async move {
            talk(stream, peer, shared).await;
            drop(permit);
        };
        conversations.spawn(talk.instrument(span));
    }
    drop(listener);
    while conversations.join_next().await.is_some() {}
}

async fn talk(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut conversation = Conversation::new(Arc::clone(&shared), peer.ip().to_string());
    let pace = shared.settings.body_idle();
    loop {
        let idle = if conversation.is_listening() { pace } else { IDLE };
        let next = tokio::select! {
            next = Event::read(&mut reader, idle, pace) => next,
            () = shared.stopped(), if !conversation.is_listening() => return,
        };
        let event = match next {
            Ok(Some(event)) => event,
            Ok(None) | Err(EventError::Io(_)) => return,
            Err(error) => {
                tracing::info!(%error, "a conversation ends");
                let told = refusal(&ApiError::bad("event", error.to_string()));
                let _ = tokio::time::timeout(WRITE, told.write(&mut writer)).await;
                return;
            }
        };
        // Whoever ends the connection while it is heard ends the work.
        let answer = tokio::select! {
            answer = conversation.answer(&event) => answer,
            () = gone(&mut reader) => return,
        };
        if let Some(answer) = answer
            && !matches!(tokio::time::timeout(WRITE, answer.write(&mut writer)).await, Ok(Ok(())))
        {
            return;
        }
    }
}

/// Comes when the other side has ended the connection, and never while it only has more to say.
async fn gone(reader: &mut (impl tokio::io::AsyncBufRead + Unpin)) {
    use tokio::io::AsyncBufReadExt;
    match reader.fill_buf().await {
        Ok(bytes) if !bytes.is_empty() => std::future::pending().await,
        _ => {}
    }
}
