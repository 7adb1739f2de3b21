//! A client that speaks HTTP/1.1 over a socket and can be what a well-kept client cannot: slow, broken off, half done.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long a byte of an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(300);
/// Bytes of an answer that are read at most.
const MOST_BYTES: u64 = 64 << 20;

const BOUNDARY: &str = "amanuensis-xtask-boundary";

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: &'static str,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Request { method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Request::new("GET", path)
    }

    /// A form; a part is its name, the name of its file if it is one, and what it holds.
    pub(crate) fn form(path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (name, file, value) in parts {
            let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        Request::new("POST", path).body("content-type", &kind, body)
    }

    pub(crate) fn json(path: &str, body: &[u8]) -> Self {
        Request::new("POST", path).body("content-type", "application/json", body.to_vec())
    }

    fn body(self, name: &str, value: &str, body: Vec<u8>) -> Self {
        Request { body, ..self.with(name, value) }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The head, for a body that is announced so.
    pub(crate) fn head(&self, address: SocketAddr, length: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        (head + length + "\r\n").into_bytes()
    }

    /// All of it.
    pub(crate) fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut bytes = self.head(address, &format!("content-length: {}\r\n", self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it over a connection of its own and reads the answer.
    pub(crate) fn ask(&self, address: SocketAddr) -> io::Result<Answer> {
        let mut connection = Connection::open(address)?;
        // Who refuses a body may close before it was written: the answer says more than the broken pipe.
        let sent = connection.send(&self.bytes(address));
        match (connection.answer(), sent) {
            (Err(_), Err(error)) => Err(error),
            (answer, _) => answer,
        }
    }
}

/// The head of a form whose file never ends, for bodies that are written by hand.
pub(crate) fn open_form(fields: &[(&str, &str)], file: &str) -> Vec<u8> {
    let parts: Vec<(&str, Option<&str>, &[u8])> =
        fields.iter().map(|(name, value)| (*name, None, value.as_bytes())).collect();
    let mut body = Request::form("", &parts).body;
    body.truncate(body.len() - BOUNDARY.len() - "----\r\n".len());
    let name = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file}\"\r\n\r\n");
    body.extend_from_slice(name.as_bytes());
    body
}

/// What ends such a form.
pub(crate) fn form_end() -> Vec<u8> {
    format!("\r\n--{BOUNDARY}--\r\n").into_bytes()
}

/// What was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What stands in it; null where it is no JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The events of a stream.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.text();
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        events.map(|event| serde_json::from_str(event).unwrap_or(Value::Null)).collect()
    }
}

/// A connection, for one request.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(30))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { reader: BufReader::new(stream) })
    }

    /// The socket, to do with it what no client does.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        self.reader.get_mut()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket().write_all(bytes)
    }

    /// The whole answer.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut answer = self.answer_head()?;
        let is_chunked = answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let length: Option<u64> = answer.header("content-length").and_then(|value| value.parse().ok());
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let line = self.line()?;
                let size = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
                let size = size.map_err(|_| broken("a chunk without a size"))?;
                if body.len() as u64 + size > MOST_BYTES {
                    return Err(broken("an answer without end"));
                }
                let read = self.reader.by_ref().take(size).read_to_end(&mut body)?;
                if (read as u64) < size {
                    return Err(broken("the answer was cut off"));
                }
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            let most = length.unwrap_or(MOST_BYTES).min(MOST_BYTES);
            let read = self.reader.by_ref().take(most).read_to_end(&mut body)?;
            if length.is_some_and(|length| (read as u64) < length) {
                return Err(broken("the answer was cut off"));
            }
        }
        answer.body = body;
        Ok(answer)
    }

    /// The answer without its body.
    pub(crate) fn answer_head(&mut self) -> io::Result<Answer> {
        loop {
            let line = self.line()?;
            let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
            let status = status.ok_or_else(|| broken("not an answer in HTTP"))?;
            let mut headers = Vec::new();
            loop {
                let line = self.line()?;
                if line.is_empty() {
                    break;
                }
                let (name, value) = line.split_once(':').ok_or_else(|| broken("a header without a colon"))?;
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            // "Go on" is no answer yet.
            if status >= 200 {
                return Ok(Answer { status, headers, body: Vec::new() });
            }
        }
    }

    /// A line without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(64 << 10).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed without an answer"));
        }
        let line = String::from_utf8_lossy(&line);
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What the client makes of an answer.
    fn read(answer: &'static [u8]) -> io::Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            stream.write_all(answer).unwrap();
        });
        let answer = Request::get("/").ask(address);
        server.join().unwrap();
        answer
    }

    #[test]
    fn answers_are_read_however_they_are_delimited() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd"[..],
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nabc",
        ] {
            let answer = read(bytes).unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
        }
        for bytes in [&b""[..], b"nonsense\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"] {
            assert!(read(bytes).is_err());
        }
    }

    #[test]
    fn a_form_that_is_written_by_hand_is_a_form() {
        let mut body = open_form(&[("model", "demo")], "a.wav");
        body.extend_from_slice(b"sound");
        body.extend_from_slice(&form_end());
        let parts: [(&str, Option<&str>, &[u8]); 2] = [("model", None, b"demo"), ("file", Some("a.wav"), b"sound")];
        assert_eq!(body, Request::form("/", &parts).body);
    }

    #[test]
    fn events_are_the_lines_of_data() {
        let body = b": ping\n\ndata: {\"a\":1}\n\ndata: x\n\n".to_vec();
        let answer = Answer { body, ..Answer::default() };
        assert_eq!(answer.events(), [serde_json::json!({"a": 1}), Value::Null]);
    }
}
