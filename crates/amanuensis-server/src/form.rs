//! Forms with a file in them, read as they come: the file goes to the disk, never into memory.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::sync::Arc;
use std::time::Instant;

use amanuensis::audio::Input;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::error::ApiError;
use crate::guard::{LONGEST_DRAIN, drain};
use crate::settings::Settings;

/// Fields and files of one form.
const MOST_PARTS: usize = 100;
/// Bytes of a field that is not a file.
const MOST_FIELD_BYTES: usize = 64 << 10;
/// Bytes of everything in a form that is not the file: fields, names, boundaries.
const OTHER_BYTES: u64 = 4 << 20;
/// Whoever sends fewer bytes a second than this is given up after a while.
const SLOWEST: f64 = 1024.0;
/// Seconds before anybody is called slow.
const GRACE: f64 = 30.0;

/// A file that was uploaded. It has no name in any folder: when nobody holds it, it is gone.
#[derive(Clone)]
pub(crate) struct Upload {
    pub(crate) file: Arc<File>,
    /// What the client calls it; for showing, never for opening.
    pub(crate) name: Option<String>,
    pub(crate) bytes: u64,
}

impl Upload {
    /// It, as something to open.
    pub(crate) fn input(&self) -> Input {
        Input::File { name: "file".to_owned(), file: Arc::clone(&self.file) }
    }
}

/// What a form held.
pub(crate) struct Form {
    pub(crate) file: Option<Upload>,
    pub(crate) fields: Vec<(String, String)>,
}

impl Form {
    /// Reads a form whose file is in a field of one of these names.
    pub(crate) async fn read(request: Request, names: &[&str], settings: &Settings) -> Result<Self, ApiError> {
        let most = settings.max_upload_bytes;
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > most.saturating_add(OTHER_BYTES)) {
            drain(request).await;
            return Err(over(most));
        }
        let mut parts = Multipart::from_request(request, &()).await.map_err(|rejection| {
            let what = "the body is to be multipart/form-data, with a boundary";
            ApiError::unsupported(format!("{what}: {}", rejection.body_text()))
        })?;
        let form = Self::take(&mut parts, names, settings).await;
        if form.is_err() {
            // One that is cut off while it writes reads no answer: it may send on for a while.
            let rest = async { while let Ok(Some(_)) = parts.next_field().await {} };
            let _ = timeout(LONGEST_DRAIN, rest).await;
        }
        form
    }

    /// Takes the parts as they come.
    async fn take(parts: &mut Multipart, names: &[&str], settings: &Settings) -> Result<Self, ApiError> {
        let most = settings.max_upload_bytes;
        let (mut form, mut pace) = (Form { file: None, fields: Vec::new() }, Pace::new(settings));
        let mut count = 0;
        while let Some(mut field) = pace.wait(parts.next_field()).await? {
            count += 1;
            if count > MOST_PARTS {
                return Err(ApiError::bad("file", format!("a form has {MOST_PARTS} parts at most")));
            }
            let name = field.name().unwrap_or_default().to_owned();
            if names.contains(&name.as_str()) {
                if form.file.is_some() {
                    return Err(ApiError::bad(
                        &name,
                        "there is more than one file; send each with a request of its own",
                    ));
                }
                form.file = Some(spool(field, most, &mut pace).await?);
                continue;
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = pace.wait(field.chunk()).await? {
                if bytes.len() + chunk.len() > MOST_FIELD_BYTES {
                    return Err(ApiError::bad(
                        &name,
                        format!("{name}: a field has {} KiB at most", MOST_FIELD_BYTES >> 10),
                    ));
                }
                pace.count(chunk.len())?;
                bytes.extend_from_slice(&chunk);
            }
            let value = String::from_utf8(bytes)
                .map_err(|_| ApiError::bad(&name, format!("{name}: the field is not UTF-8 text")))?;
            form.fields.push((name, value));
        }
        Ok(form)
    }

    /// The file, which has to be there and not empty.
    pub(crate) fn file(&self, name: &str) -> Result<&Upload, ApiError> {
        match &self.file {
            Some(upload) if upload.bytes > 0 => Ok(upload),
            Some(_) => Err(ApiError::bad(name, "the file is empty (0 bytes)")),
            None => {
                Err(ApiError::bad(name, format!("there is no file; send the sound as the field {name:?} of the form")))
            }
        }
    }
}

async fn spool(mut field: Field<'_>, most: u64, pace: &mut Pace) -> Result<Upload, ApiError> {
    let name = field.file_name().map(shown);
    let full = |error: std::io::Error| {
        tracing::error!(%error, "an upload could not be kept");
        ApiError::fault("the upload could not be kept: the server's disk may be full")
    };
    let file = tokio::task::spawn_blocking(tempfile::tempfile)
        .await
        .map_err(|error| ApiError::fault(error.to_string()))?
        .map_err(full)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut bytes = 0_u64;
    while let Some(chunk) = pace.wait(field.chunk()).await? {
        bytes += chunk.len() as u64;
        if bytes > most {
            return Err(over(most));
        }
        pace.count(chunk.len())?;
        file.write_all(&chunk).await.map_err(full)?;
    }
    file.flush().await.map_err(full)?;
    let mut file = file.into_std().await;
    file.seek(SeekFrom::Start(0)).map_err(full)?;
    Ok(Upload { file: Arc::new(file), name, bytes })
}

fn over(most: u64) -> ApiError {
    let size = if most >= 1 << 20 { format!("{} MiB", most >> 20) } else { format!("{most} bytes") };
    ApiError::too_large(format!("the upload is larger than {size}, which is the most that this server takes"))
}

/// A file's name as it may be shown: its last part, without what does not print.
fn shown(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|character| !character.is_control()).take(200).collect()
}

/// How quickly a body comes.
struct Pace {
    idle: std::time::Duration,
    begun: Instant,
    bytes: u64,
}

impl Pace {
    fn new(settings: &Settings) -> Self {
        Pace { idle: settings.body_idle(), begun: Instant::now(), bytes: 0 }
    }

    async fn wait<T>(&self, next: impl Future<Output = Result<T, MultipartError>>) -> Result<T, ApiError> {
        match timeout(self.idle, next).await {
            Err(_) => {
                let seconds = self.idle.as_secs();
                Err(ApiError::too_slow(format!("nothing of the body came for {seconds} seconds")))
            }
            Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::too_large(error.body_text()))
            }
            Ok(Err(error)) => Err(ApiError::bad("file", format!("the form cannot be read: {}", error.body_text()))),
            Ok(Ok(value)) => Ok(value),
        }
    }

    fn count(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += bytes as u64;
        let seconds = self.begun.elapsed().as_secs_f64();
        if seconds > GRACE && (self.bytes as f64) < seconds * SLOWEST {
            return Err(ApiError::too_slow(format!("the body comes at less than {SLOWEST} bytes a second")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use proptest::prelude::*;

    use super::*;

    fn read(content_type: &str, body: Vec<u8>, settings: &Settings) -> Result<Form, ApiError> {
        let request = Request::builder().header(header::CONTENT_TYPE, content_type).body(Body::from(body)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Form::read(request, &["file"], settings))
    }

    fn part(name: &str, file: Option<&str>, value: &str) -> String {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
    }

    fn form(parts: &[String]) -> Result<Form, ApiError> {
        let settings = Settings { max_upload_bytes: 100, ..Settings::default() };
        read("multipart/form-data; boundary=x", (parts.concat() + "--x--\r\n").into_bytes(), &settings)
    }

    #[test]
    fn fields_and_file_are_told_apart() {
        let form = form(&[part("model", None, "base"), part("file", Some("../a/b\\c\td.wav"), "sound")]).unwrap();
        assert_eq!(form.fields, [("model".to_owned(), "base".to_owned())]);
        let file = form.file("file").unwrap();
        assert_eq!((file.name.as_deref(), file.bytes), (Some("cd.wav"), 5));
    }

    #[test]
    fn what_is_too_much_or_wrong_is_refused() {
        let refused = |parts: &[String]| {
            let error = form(parts).err().unwrap();
            (error.status.as_u16(), error.message)
        };
        assert_eq!(refused(&[part("file", Some("a"), &"x".repeat(101))]).0, 413);
        let (status, message) = refused(&[part("file", Some("a"), "x"), part("file", Some("b"), "x")]);
        assert!(status == 400 && message.contains("more than one file"), "{message}");
        assert_eq!(refused(&[part("prompt", None, &"x".repeat(MOST_FIELD_BYTES + 1))]).0, 400);
        let many: Vec<String> = (0..=MOST_PARTS).map(|number| part(&number.to_string(), None, "x")).collect();
        assert!(refused(&many).1.contains("100 parts"));
        assert_eq!(read("application/json", b"{}".to_vec(), &Settings::default()).err().unwrap().status, 415);
        let broken = part("file", Some("a"), "x").into_bytes();
        let error = read("multipart/form-data; boundary=x", broken, &Settings::default()).err().unwrap();
        assert_eq!(error.status, 400, "{}", error.message);
    }

    #[test]
    fn no_file_and_an_empty_one_are_named() {
        let message = |form: Form| form.file("file").err().unwrap().message;
        assert!(message(form(&[part("model", None, "base")]).unwrap()).contains("there is no file"));
        assert!(message(form(&[part("file", Some("a"), "")]).unwrap()).contains("0 bytes"));
    }

    proptest! {
        #[test]
        fn no_form_breaks_it(mut body in proptest::collection::vec(any::<u8>(), 0..400), cut in 0_usize..200) {
            let whole = part("file", Some("a"), "sound") + &part("model", None, "x") + "--x--\r\n";
            body.splice(0..0, whole.bytes().take(cut));
            let _ = read("multipart/form-data; boundary=x", body, &Settings::default());
        }
    }
}
