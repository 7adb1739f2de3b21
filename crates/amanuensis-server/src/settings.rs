//! What the server is told: where it listens, whom it serves, and where it stops.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The settings of a server, as they stand in a file of settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The address to speak Wyoming at, for Home Assistant; not at all if not given.
    pub wyoming: Option<SocketAddr>,
    /// Serves any address without keys. Whoever reaches it can use it.
    pub insecure: bool,
    /// Where jobs are kept; none are taken without it.
    pub data: Option<PathBuf>,
    /// Serves the page from this folder instead of the one inside the program.
    pub ui: Option<PathBuf>,
    /// The other origins whose pages may ask; none by default.
    pub allow_origin: Vec<String>,
    /// Hosts that webhooks may go to although their addresses are private.
    pub allow_webhook_host: Vec<String>,
    /// What signs webhooks; they are not sent without it.
    #[serde(skip_serializing)]
    pub webhook_secret: Option<String>,
    /// Takes fields that are not known, and says so in a header.
    pub lenient: bool,
    /// Most bytes of an upload.
    pub max_upload_bytes: u64,
    /// Longest sound, in seconds.
    pub max_duration: f64,
    /// Most seconds of sound that wait or are being heard, those of jobs aside.
    pub max_queued_seconds: f64,
    /// Most seconds of sound of jobs that are not finished.
    pub max_job_seconds: f64,
    /// Most connections at once.
    pub max_connections: usize,
    /// Most requests of one client at once.
    pub max_concurrent: usize,
    /// Most requests of one client in a minute.
    pub max_requests_per_minute: u32,
    /// How many windows are decoded together.
    pub together: usize,
    /// Seconds within which a request has to be answered whole.
    pub deadline: u64,
    /// Seconds without a byte after which a body is given up.
    pub body_idle: u64,
    /// Seconds that a request's head may take.
    pub head_timeout: u64,
    /// Seconds without a byte that the client takes after which an answer is given up.
    pub answer_idle: u64,
    /// Seconds that running work is waited for at the end.
    pub drain: u64,
    /// Seconds that a round may take; after them the server says that it is not ready.
    pub stalled_after: u64,
    /// Whether a model hears a second of silence when it is loaded, so that the first who asks does not wait for it.
    pub warm_up: bool,
    /// Seconds after which a model that nobody uses is unloaded; never if not given.
    pub unload_after: Option<u64>,
    /// Most bytes of memory for the weights of models; without bound if not given. Over it, the one that nobody has used for
    /// longest is unloaded.
    pub models_memory: Option<u64>,
    /// Seconds that the sound of a finished job is kept.
    pub keep_sound: u64,
    /// Seconds that the result of a finished job is kept.
    pub keep_result: u64,
    /// Most live sessions at once, those that may be resumed among them.
    pub max_live_sessions: usize,
    /// Most of them of one client.
    pub max_live_sessions_of_one: usize,
    /// Longest live session, in seconds.
    pub max_live_seconds: u64,
    /// Most seconds of sound of a live session that may wait to be heard.
    pub max_live_lag: f64,
    /// Most bytes of a message of a live session.
    pub max_live_frame_bytes: usize,
    /// Seconds without sound after which a live session ends.
    pub live_idle: u64,
    /// Seconds for which a live session can be resumed after its connection is lost; not at all with 0.
    pub live_resume: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000),
            wyoming: None,
            insecure: false,
            data: None,
            ui: None,
            allow_origin: Vec::new(),
            allow_webhook_host: Vec::new(),
            webhook_secret: None,
            lenient: false,
            max_upload_bytes: 1 << 30,
            max_duration: 12.0 * 3600.0,
            max_queued_seconds: 10.0 * 3600.0,
            max_job_seconds: 1000.0 * 3600.0,
            max_connections: 1024,
            max_concurrent: 32,
            max_requests_per_minute: 600,
            together: 4,
            deadline: 3600,
            body_idle: 30,
            head_timeout: 15,
            answer_idle: 60,
            drain: 30,
            stalled_after: 300,
            warm_up: true,
            unload_after: None,
            models_memory: None,
            keep_sound: 24 * 3600,
            keep_result: 7 * 24 * 3600,
            max_live_sessions: 64,
            max_live_sessions_of_one: 16,
            max_live_seconds: 4 * 3600,
            max_live_lag: 60.0,
            max_live_frame_bytes: 4 << 20,
            live_idle: 300,
            live_resume: 60,
        }
    }
}

/// Settings that contradict themselves, or promise what they cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct SettingsError {
    /// Which setting.
    pub setting: &'static str,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl Settings {
    /// Refuses settings with which the server would be open to all, or could not work. `keys` is how many keys there are.
    pub fn check(&self, keys: usize) -> Result<(), SettingsError> {
        let wrong = |setting, reason: &str| Err(SettingsError { setting, reason: reason.to_owned() });
        if !self.listen.ip().is_loopback() && keys == 0 && !self.insecure {
            let reason = format!(
                "{} can be reached from other machines, and there are no keys; give --keys FILE, or --insecure if everybody \
                 who reaches it may use it",
                self.listen
            );
            return Err(SettingsError { setting: "listen", reason });
        }
        if let Some(address) = self.wyoming.filter(|address| !address.ip().is_loopback() && !self.insecure) {
            let reason = format!(
                "{address} can be reached from other machines, and Wyoming knows no keys; give --insecure if everybody who reaches \
                 it may use it"
            );
            return Err(SettingsError { setting: "wyoming", reason });
        }
        if self.together == 0 || self.together > 256 {
            return wrong("together", "from 1 to 256 windows can be decoded together");
        }
        for (setting, value) in [
            ("max_duration", self.max_duration),
            ("max_queued_seconds", self.max_queued_seconds),
            ("max_job_seconds", self.max_job_seconds),
            ("max_live_lag", self.max_live_lag),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return wrong(setting, "it is a number of seconds above 0");
            }
        }
        for (setting, value) in [
            ("max_upload_bytes", self.max_upload_bytes),
            ("max_connections", self.max_connections as u64),
            ("max_concurrent", self.max_concurrent as u64),
            ("max_requests_per_minute", u64::from(self.max_requests_per_minute)),
            ("deadline", self.deadline),
            ("body_idle", self.body_idle),
            ("head_timeout", self.head_timeout),
            ("max_live_sessions", self.max_live_sessions as u64),
            ("max_live_sessions_of_one", self.max_live_sessions_of_one as u64),
            ("max_live_seconds", self.max_live_seconds),
            ("max_live_frame_bytes", self.max_live_frame_bytes as u64),
            ("live_idle", self.live_idle),
            ("stalled_after", self.stalled_after),
            ("models_memory", self.models_memory.unwrap_or(u64::MAX)),
            ("answer_idle", self.answer_idle),
        ] {
            if value == 0 {
                return wrong(setting, "it is a number above 0");
            }
        }
        if self.allow_origin.iter().any(|origin| origin == "*") {
            return wrong(
                "allow_origin",
                "every page of the world could use the keys of its readers; name the origins",
            );
        }
        Ok(())
    }

    pub(crate) fn body_idle(&self) -> Duration {
        Duration::from_secs(self.body_idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_served_with_keys_or_on_purpose() {
        let open = Settings { listen: "0.0.0.0:8000".parse().unwrap(), ..Settings::default() };
        assert!(Settings::default().check(0).is_ok());
        assert_eq!(open.check(0).unwrap_err().setting, "listen");
        assert!(open.check(1).is_ok());
        assert!(Settings { insecure: true, ..open.clone() }.check(0).is_ok());
        assert!(Settings { listen: "[::1]:0".parse().unwrap(), ..open }.check(0).is_ok());
    }

    #[test]
    fn wyoming_is_for_this_machine_or_for_all_on_purpose() {
        let spoken = |address: &str| Settings { wyoming: Some(address.parse().unwrap()), ..Settings::default() };
        assert!(spoken("127.0.0.1:10300").check(0).is_ok());
        assert_eq!(spoken("0.0.0.0:10300").check(1).unwrap_err().setting, "wyoming", "keys do not help");
        assert!(Settings { insecure: true, ..spoken("0.0.0.0:10300") }.check(1).is_ok());
    }

    #[test]
    fn limits_are_above_nothing() {
        let wrong = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check(0).unwrap_err().setting
        };
        assert_eq!(wrong(|settings| settings.together = 0), "together");
        assert_eq!(wrong(|settings| settings.max_duration = f64::NAN), "max_duration");
        assert_eq!(wrong(|settings| settings.max_upload_bytes = 0), "max_upload_bytes");
        assert_eq!(wrong(|settings| settings.allow_origin = vec!["*".to_owned()]), "allow_origin");
    }
}
