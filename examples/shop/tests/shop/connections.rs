//! Whoever connects and says nothing shuts nobody out.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{ADA, STAFF, Scene, on_each_store};

on_each_store!(silent_connections_make_room, a_body_that_does_not_come_is_given_up);

const READING: Duration = Duration::from_millis(300);

async fn connect(scene: &Scene) -> TcpStream {
    let address = scene.url.strip_prefix("http://").expect("an address");
    TcpStream::connect(address).await.expect("it listens")
}

/// Reads what comes, up to the end of the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // Whether it is closed or reset is all the same.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn silent_connections_make_room(scene: Scene) {
    let scene = scene
        .restart_with(|settings| {
            settings.reading = READING;
            settings.connections = 4;
        })
        .await;
    let begun = Instant::now();
    let mut silent = Vec::new();
    for said in ["", "GET /stock HTTP/1.1\r\n", "", "GET "] {
        let mut stream = connect(&scene).await;
        stream.write_all(said.as_bytes()).await.expect("it listens");
        silent.push(stream);
    }
    // One more than are served: it waits until there is room.
    scene.get("/stock", STAFF).await.is(200);
    assert!(begun.elapsed() >= READING / 2, "{:?}", begun.elapsed());
    for stream in &mut silent {
        rest(stream).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

async fn a_body_that_does_not_come_is_given_up(scene: Scene) {
    let scene = scene.restart_with(|settings| settings.reading = READING).await;
    let mut stream = connect(&scene).await;
    let head = format!(
        "PUT /orders/o-1 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {ADA}\r\n\
         Content-Type: application/json\r\nContent-Length: 40\r\n\r\n{{"
    );
    let begun = Instant::now();
    stream.write_all(head.as_bytes()).await.expect("it listens");
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("/problems#too-slow"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
