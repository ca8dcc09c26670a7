//! What servers may do to a connection, told by one that does as it is bid.

use axum::http::StatusCode;
use net::Net;
use store::Buffer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);
/// A head and the beginning of its body in one segment.
const CHUNK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123";

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nht-retry: 50\r\ncontent-length: 6\r\n\r\nlater.";
const AB: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab";

/// A server for one test: what it listens on, and where that is.
async fn server() -> (TcpListener, BaseUrl) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    (listener, url)
}

fn client() -> Straight {
    Straight::new(Net::default().connector(None, LIMIT))
}

fn request(base: &BaseUrl) -> Request<Bytes> {
    Request::builder().uri(base.join("/chunk/00")).header("ht-peer", "me").body(Bytes::new()).unwrap()
}

/// Reads one request.
async fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// Answers request after request of one connection with these, and gives the connection back.
fn answers(mut stream: TcpStream, texts: &'static [&'static str]) -> JoinHandle<TcpStream> {
    tokio::spawn(async move {
        for text in texts {
            heard(&mut stream).await;
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        stream
    })
}

async fn body_of(answer: Answer) -> Result<Vec<u8>, HttpError> {
    let (mut body, mut buffer) = (answer.body, Buffer::default());
    while body.read_into(&mut buffer).await? > 0 {}
    body.finish();
    Ok(buffer.as_slice().to_vec())
}

#[tokio::test]
async fn a_request_says_what_http_wants_and_the_next_one_takes_the_same_connection() {
    let (listener, base) = server().await;
    let client = client();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = heard(&mut stream).await;
        stream.write_all(CHUNK.as_bytes()).await.unwrap();
        stream.write_all(b"456789").await.unwrap();
        // Early hints, and a body in the same segment: then an empty one.
        heard(&mut stream).await;
        let hints =
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab";
        stream.write_all(hints.as_bytes()).await.unwrap();
        heard(&mut stream).await;
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        request
    });
    let first = client.send(&base, &request(&base), LIMIT).await.unwrap();
    assert_eq!((first.status, first.body.left()), (StatusCode::OK, 10));
    assert_eq!(body_of(first).await.unwrap(), b"0123456789");
    assert_eq!(body_of(client.send(&base, &request(&base), LIMIT).await.unwrap()).await.unwrap(), b"ab");
    let missing = client.send(&base, &request(&base), LIMIT).await.unwrap();
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let host = base.to_string().replace("http://", "");
    let expected = format!("GET /chunk/00 HTTP/1.1\r\nhost: {host}\r\nht-peer: me\r\n\r\n");
    assert_eq!(serving.await.unwrap(), expected);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_was_idle_is_nobodys_failure() {
    let (listener, base) = server().await;
    let client = client();
    let serving = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            heard(&mut stream).await;
            stream.write_all(AB.as_bytes()).await.unwrap();
        }
        // This one hears a request and is closed without a word.
        let (mut stream, _) = listener.accept().await.unwrap();
        heard(&mut stream).await;
        stream.write_all(AB.as_bytes()).await.unwrap();
        heard(&mut stream).await;
        drop(stream);
        let (mut stream, _) = listener.accept().await.unwrap();
        heard(&mut stream).await;
        stream.write_all(AB.as_bytes()).await.unwrap();
        stream
    });
    for _ in 0..4 {
        let answer = client.send(&base, &request(&base), LIMIT).await.unwrap();
        assert_eq!(body_of(answer).await.unwrap(), b"ab");
    }
    serving.await.unwrap();
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_an_error_and_ends_the_connection() {
    let (listener, base) = server().await;
    let client = client();
    let asked = tokio::spawn(async move {
        let answer = client.send(&base, &request(&base), LIMIT).await.unwrap();
        body_of(answer).await
    });
    let stream = listener.accept().await.unwrap().0;
    drop(answers(stream, &[CHUNK]).await.unwrap());
    assert!(matches!(asked.await.unwrap(), Err(HttpError::Connection(_))));
}

#[tokio::test]
async fn what_follows_a_body_unasked_is_not_taken_for_the_next_answer() {
    let (listener, base) = server().await;
    let client = client();
    let smuggled =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nX";
    let serving = tokio::spawn(async move {
        let mut streams = Vec::new();
        for text in [smuggled, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\ncd"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            heard(&mut stream).await;
            stream.write_all(text.as_bytes()).await.unwrap();
            streams.push(stream);
        }
        streams
    });
    for expected in [b"ab", b"cd"] {
        let answer = client.send(&base, &request(&base), LIMIT).await.unwrap();
        assert_eq!(body_of(answer).await.unwrap(), expected);
    }
    serving.await.unwrap();
}

#[tokio::test]
async fn an_answer_without_a_length_is_left_to_the_other_client() {
    let (listener, base) = server().await;
    let client = client();
    let asked = tokio::spawn(async move { client.send(&base, &request(&base), LIMIT).await.map(|_| ()) });
    let stream = listener.accept().await.unwrap().0;
    let _stream = answers(stream, &[CHUNKED]);
    assert!(matches!(asked.await.unwrap(), Err(HttpError::Unframed)));
}

#[tokio::test]
async fn a_request_with_a_body_says_how_long_it_is_and_its_answer_comes_in_parts() {
    let (listener, base) = server().await;
    let client = client();
    let serving = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        let head = heard(&mut stream).await;
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(CHUNK.as_bytes()).await.unwrap();
        stream.write_all(b"456789").await.unwrap();
        // The next answer to the same connection ends too early.
        drop(answers(stream, &[CHUNK]).await.unwrap());
        (head, body)
    });
    let asking = Request::post(base.join("/chunk")).body(Bytes::from_static(b"which")).unwrap();
    let mut answer = client.send(&base, &asking, LIMIT).await.unwrap();
    let mut came = Vec::new();
    while let Some(part) = answer.body.next_part().await.unwrap() {
        came.extend_from_slice(&part);
    }
    assert_eq!(came, b"0123456789");
    answer.body.finish();
    let mut answer = client.send(&base, &request(&base), LIMIT).await.unwrap();
    assert_eq!(answer.body.next_part().await.unwrap().unwrap(), "0123");
    assert!(matches!(answer.body.next_part().await, Err(HttpError::Connection(_))));
    let (head, body) = serving.await.unwrap();
    assert!(head.starts_with("POST /chunk HTTP/1.1\r\n") && head.contains("content-length: 5\r\n"), "{head}");
    assert_eq!(&body, b"which");
}

#[tokio::test]
async fn a_refusal_is_read_past_and_its_connection_used_again() {
    let (listener, base) = server().await;
    let client = client();
    let serving = tokio::spawn(async move {
        let stream = listener.accept().await.unwrap().0;
        answers(stream, &[BUSY, AB]).await
    });
    let refused = client.send(&base, &request(&base), LIMIT).await.unwrap();
    assert_eq!(refused.headers["ht-retry"].as_bytes(), b"50");
    refused.body.skip().await;
    assert_eq!(body_of(client.send(&base, &request(&base), LIMIT).await.unwrap()).await.unwrap(), b"ab");
    serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a09_who_refuses_word_by_word_is_not_listened_to() {
    let idle = Arc::new(Idle::default());
    let (ours, mut theirs) = tokio::io::duplex(1 << 10);
    let base: BaseUrl = "http://127.0.0.1:9".parse().unwrap();
    theirs.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 99\r\n\r\nsince").await.unwrap();
    let connection = Connection::new(Stream::Other(Box::new(ours)), base.clone(), Arc::downgrade(&idle));
    let began = tokio::time::Instant::now();
    connection.ask(&request(&base)).await.unwrap().body.skip().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(idle.take(&base).is_none(), "the rest of it is on its way");
}

#[tokio::test(start_paused = true)]
async fn connections_that_nobody_comes_for_are_closed() {
    let idle = Arc::new(Idle::default());
    let (ours, mut theirs) = tokio::io::duplex(64);
    let base: BaseUrl = "http://127.0.0.1:9".parse().unwrap();
    idle.put(Connection::new(Stream::Other(Box::new(ours)), base.clone(), Arc::downgrade(&idle)));
    // Time moves when nothing else can: until it is looked through.
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "closed");
    assert!(idle.take(&base).is_none());
}

#[tokio::test]
async fn a_client_that_is_gone_leaves_no_connection_behind() {
    let idle = Arc::new(Idle::default());
    let (ours, mut theirs) = tokio::io::duplex(64);
    let base: BaseUrl = "http://127.0.0.1:9".parse().unwrap();
    idle.put(Connection::new(Stream::Other(Box::new(ours)), base.clone(), Arc::downgrade(&idle)));
    drop(idle);
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "closed");
}
