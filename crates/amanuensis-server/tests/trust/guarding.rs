//! Who is let in, and what an answer tells a browser.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use amanuensis_server::Settings;

use crate::server::Running;

/// A request as a browser sends it for a page.
fn from_page(method: &str, host: &str, origin: &str) -> String {
    format!("{method} /v1/render?format=srt HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\ncontent-length: 0")
}

#[test]
fn pages_of_other_sites_may_not_ask() {
    let server =
        Running::start(Settings { allow_origin: vec!["https://good.example".to_owned()], ..Settings::default() });
    let (status, answer) = server.raw(&from_page("POST", "localhost", "https://evil.example"));
    assert!(status == 403 && answer.contains("foreign_origin"), "{answer}");
    assert!(!answer.to_lowercase().contains("access-control-allow-origin"), "{answer}");
    // A sandboxed page has the origin "null", which is nobody's.
    let (status, answer) = server.raw(&from_page("POST", "localhost", "null"));
    assert!(status == 403 && answer.contains("foreign_origin"), "{answer}");
    for (host, origin) in [("localhost", "https://good.example"), ("localhost:1", "http://localhost:1")] {
        // Let in, it is an empty transcript that is refused.
        let (status, answer) = server.raw(&from_page("POST", host, origin));
        assert_eq!(status, 400, "{answer}");
    }
    let (status, answer) = server.raw(&from_page("OPTIONS", "localhost", "https://good.example"));
    assert!(status == 204 && answer.contains("access-control-allow-origin: https://good.example"), "{answer}");
    assert!(answer.contains("vary: origin") && !answer.contains("access-control-allow-credentials"), "{answer}");
}

#[test]
fn names_that_others_point_at_this_machine_are_refused() {
    let server = Running::start(Settings::default());
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80"] {
        let (status, answer) = server.raw(&format!("GET /v1/models HTTP/1.1\r\nhost: {host}"));
        assert!(status == 403 && answer.contains("foreign_host"), "{host}: {answer}");
    }
    assert_eq!(server.raw("GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1").0, 200);
}

#[test]
fn answers_say_that_nothing_may_be_guessed_framed_or_loaded_from_elsewhere() {
    let server = Running::start(Settings::default());
    for path in ["/", "/v1/models", "/v1/no/such/path", "/metrics"] {
        let (_, answer) = server.raw(&format!("GET {path} HTTP/1.1\r\nhost: localhost"));
        let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
        for header in ["x-content-type-options: nosniff", "referrer-policy: no-referrer", "frame-ancestors 'none'"] {
            assert!(head.contains(header), "{path}: {head}");
        }
        assert!(head.contains("default-src 'self'") && !head.contains("unsafe-inline"), "{path}: {head}");
    }
}

#[test]
fn what_a_client_calls_itself_does_not_become_a_header() {
    let server = Running::start(Settings::default());
    let (_, answer) = server.raw("GET /livez HTTP/1.1\r\nhost: localhost\r\nx-request-id: a b\"<script>");
    let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("x-request-id: req_") && !head.contains("script"), "{head}");
}

#[test]
fn connections_that_ask_nothing_give_way() {
    let server = Running::start(Settings { max_connections: 4, ..Settings::default() });
    let begun = Instant::now();
    let mut idle: Vec<_> = (0..4).map(|_| server.connect()).collect();
    // More than half of the head does not make it a request.
    idle[3].write_all(b"GET /livez HTTP/1.1\r\nhost: loc").expect("it is sent");
    for _ in 0..8 {
        assert_eq!(server.raw("GET /livez HTTP/1.1\r\nhost: localhost").0, 200);
        idle.push(server.connect());
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // The one that has been idle longest was closed.
    idle[0].set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    assert!(matches!(idle[0].read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn who_asks_and_does_not_read_is_given_up() {
    let server = Running::start(Settings { answer_idle: 1, ..Settings::default() });
    // More than the system keeps for a client that does not read.
    let text = "x".repeat(24 << 20);
    let body = format!("{{\"text\":\"\",\"segments\":[{{\"start\":0,\"end\":1,\"text\":\"{text}\"}}]}}");
    let ask = || {
        let mut connection = server.connect();
        let head = format!(
            "POST /v1/render?format=srt HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).expect("it is sent");
        connection.write_all(body.as_bytes()).expect("it is sent");
        // The answer has begun.
        connection.peek(&mut [0]).expect("an answer");
        connection
    };
    let mut answer = Vec::new();
    ask().read_to_end(&mut answer).expect("an answer");
    assert!(answer.len() > text.len(), "who reads has all of it");
    let mut deaf = ask();
    std::thread::sleep(Duration::from_secs(4));
    answer.clear();
    let _ = deaf.read_to_end(&mut answer);
    assert!(answer.len() < text.len(), "the answer was waited with for four seconds");
}
