//! The server as a whole: it listens, answers, and comes to an end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::UpgradeableConnection;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::Service;

use crate::connections::{Connections, Line, affordable};
use crate::guard::{Kept, Peer};
use crate::jobs::{self, Jobs, Keeping, Sender, Store, StoreError};
use crate::keys::Keys;
use crate::models::Library;
use crate::routes;
use crate::settings::{Settings, SettingsError};
use crate::stalling::Taken;
use crate::state::Shared;
use crate::wyoming;

/// Bytes of a request's head: its line and headers.
const HEAD_BYTES: usize = 64 << 10;
/// How often it is looked for what has to be done now and then.
const TEND: Duration = Duration::from_secs(5);
/// How long the last step of a job is waited for.
const LAST_STEP: Duration = Duration::from_secs(5);
/// How long a connection over which nothing was asked yet may still ask when the server is being stopped.
const LAST_CHANCE: Duration = Duration::from_secs(1);
/// How many connections that are idle go when there are no more descriptors.
const AT_ONCE: usize = 16;

/// Why a server does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The settings contradict themselves.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        reason: std::io::Error,
    },
    /// Jobs cannot be kept where they are to be.
    #[error("jobs cannot be kept in {folder:?}: {reason}")]
    Jobs {
        /// Where.
        folder: std::path::PathBuf,
        /// Why not.
        reason: String,
    },
    /// The system refused threads or sockets.
    #[error("the server cannot run: {0}")]
    System(#[from] std::io::Error),
}

/// A server that has its address and does not answer yet.
pub struct Server {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    wyoming: Option<TcpListener>,
    shared: Arc<Shared>,
}

impl Server {
    /// Takes the address of the settings.
    pub fn bind(settings: Settings, keys: Keys, library: Arc<dyn Library>) -> Result<Self, ServerError> {
        settings.check(keys.len())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listen = |address: SocketAddr| {
            let bound = runtime.block_on(TcpListener::bind(address));
            bound.map_err(|reason| ServerError::Listen { address, reason })
        };
        let listener = listen(settings.listen)?;
        let wyoming = settings.wyoming.map(listen).transpose()?;
        let address = listener.local_addr()?;
        let jobs = open_jobs(&settings)?;
        let shared = Arc::new(Shared::new(settings, keys, library, jobs)?);
        Ok(Server { runtime, listener, address, wyoming, shared })
    }

    /// Where it listens: the port is the system's choice if the settings say 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it speaks Wyoming, if it does.
    pub fn wyoming_address(&self) -> Option<SocketAddr> {
        self.wyoming.as_ref()?.local_addr().ok()
    }

    /// Answers until `stop` comes; then finishes what is running, for as long as the settings say.
    pub fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let Server { runtime, listener, wyoming, shared, .. } = self;
        runtime.block_on(async {
            let warming = tokio::spawn(warm(Arc::clone(&shared)));
            let tending = tokio::spawn(tend(Arc::clone(&shared)));
            let (working, others) = start_jobs(&shared);
            let talking = wyoming.map(|listener| tokio::spawn(wyoming::serve(listener, Arc::clone(&shared))));
            accept(listener, Arc::clone(&shared), stop).await;
            warming.abort();
            tending.abort();
            others.iter().for_each(tokio::task::JoinHandle::abort);
            if let Some(talking) = talking {
                // It was told to end together with the others, and has had as long.
                let _ = tokio::time::timeout(LAST_STEP, talking).await;
            }
            // What is running is saved after every round; this waits for the last of them.
            if let Some(working) = working {
                let _ = tokio::time::timeout(LAST_STEP, working).await;
            }
            if let Some(jobs) = &shared.jobs {
                jobs.put_down();
            }
        });
        // What still decodes a sound is not waited for.
        runtime.shutdown_timeout(Duration::from_secs(1));
        Ok(())
    }
}

/// The jobs of the folder that the settings name.
fn open_jobs(settings: &Settings) -> Result<Option<Jobs>, ServerError> {
    let Some(folder) = &settings.data else { return Ok(None) };
    let keeping =
        Keeping { seconds: settings.max_job_seconds, sound: settings.keep_sound, result: settings.keep_result };
    let refused = |error: StoreError| ServerError::Jobs { folder: folder.clone(), reason: error.to_string() };
    let store = Store::open(folder, keeping).map_err(refused)?;
    let secret = settings.webhook_secret.as_deref();
    Ok(Some(Jobs::new(store, secret.map(|secret| Sender::new(secret, &settings.allow_webhook_host)))))
}

/// Begins to work on jobs: what is to be waited for at the end, and what is not.
fn start_jobs(shared: &Arc<Shared>) -> (Option<JoinHandle<()>>, Vec<JoinHandle<()>>) {
    let Some(kept) = &shared.jobs else { return (None, Vec::new()) };
    let working = tokio::spawn(jobs::work(Arc::clone(shared), Arc::clone(kept)));
    let others = vec![tokio::spawn(jobs::deliver(Arc::clone(kept))), tokio::spawn(jobs::tidy(Arc::clone(kept)))];
    (Some(working), others)
}

/// Loads the first model before anybody asks for it.
async fn warm(shared: Arc<Shared>) {
    if let Some(name) = shared.models.names().first() {
        while let Err(error) = shared.models.get(name).await {
            tracing::error!(message = error.message, "the first model is not loaded; trying again in a minute");
            shared.set_cold(Some(error));
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        tracing::info!("ready");
    }
    shared.set_cold(None);
}

/// Does what has to be done now and then.
async fn tend(shared: Arc<Shared>) {
    let mut was_stalled = false;
    loop {
        tokio::time::sleep(TEND).await;
        let stalled = shared.scheduler.board().stalled();
        match stalled {
            Some(seconds) if !was_stalled => {
                let open = shared.scheduler.board().open();
                tracing::error!(seconds, open, "A ROUND DOES NOT END: the server is not ready until it does");
            }
            None if was_stalled => tracing::warn!("the round has ended that did not; the server is ready again"),
            _ => {}
        }
        was_stalled = stalled.is_some();
        if let Some(after) = shared.settings.unload_after {
            shared.models.unload_idle(Duration::from_secs(after));
        }
    }
}

/// Takes connections until `stop` comes.
async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: impl Future<Output = ()>) {
    let router = routes::router(Arc::clone(&shared));
    let connections = Connections::new(affordable(shared.settings.max_connections));
    let (close, closing) = watch::channel(());
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(shared.settings.head_timeout))
        .max_buf_size(HEAD_BYTES)
        .half_close(false);
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // No more descriptors, most likely: some that are idle are closed for those that come.
                    tracing::warn!(%error, "a connection could not be taken");
                    connections.let_go(AT_ONCE);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let line = tokio::select! {
            line = connections.admit() => line,
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Taken::within(Duration::from_secs(shared.settings.answer_idle), stream));
        let connection = http.serve_connection(stream, service(&router, &line, peer)).with_upgrades();
        tokio::spawn(attend(connection, line, closing.clone()));
    }
    drop(listener);
    shared.stop();
    tracing::info!(open = shared.scheduler.board().open(), "stopping: what is running is finished first");
    let drain = Duration::from_secs(shared.settings.drain);
    let _ = close.send(());
    shared.live.forget();
    let finished = async { tokio::join!(connections.over(), shared.live.empty()) };
    if tokio::time::timeout(drain, finished).await.is_err() {
        tracing::warn!(open = shared.scheduler.board().open(), "stopped in the middle: the time for finishing is over");
    }
}

/// What answers over a connection, which is busy from a request to the last byte of its answer.
fn service(
    router: &Router,
    line: &Arc<Line>,
    peer: SocketAddr,
) -> impl HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + use<> {
    let (router, line) = (router.clone(), Arc::clone(line));
    service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let busy = line.begin();
        let answer = router.clone().call(request.map(Body::new));
        async move { Ok(answer.await?.map(|body| Body::new(Kept { body, _kept: busy }))) }
    })
}

/// Attends to a connection until it is over: it is closed from here when the server ends, or when it has to give way.
async fn attend<S>(
    connection: UpgradeableConnection<TokioIo<Taken<TcpStream>>, S>,
    line: Arc<Line>,
    mut closing: watch::Receiver<()>,
) where
    S: HttpService<Incoming, ResBody = Body, Error = Infallible>,
{
    let mut connection = std::pin::pin!(connection);
    // A client that breaks off is no event of ours.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closing.changed() => {
            connection.as_mut().graceful_shutdown();
            if tokio::time::timeout(LAST_CHANCE, connection.as_mut()).await.is_ok() {
                return;
            }
        }
        () = line.asked_to_leave() => connection.as_mut().graceful_shutdown(),
    }
    // What never asked anything has nothing to be finished.
    if line.has_asked() {
        let _ = connection.await;
    }
}
