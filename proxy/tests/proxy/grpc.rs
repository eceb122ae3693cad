//! gRPC: trailers pass, and what we say ourselves is a status that its clients understand.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{GATEWAY, Running, free_port, service};

/// A server that gives a message and trailers.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service =
                hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
                    let message = request
                        .into_body()
                        .collect()
                        .await
                        .expect("whole")
                        .to_bytes();
                    let trailers = HeaderMap::from_iter([(
                        http::HeaderName::from_static("grpc-status"),
                        HeaderValue::from_static("0"),
                    )]);
                    let frames = [Frame::data(message), Frame::trailers(trailers)];
                    let mut response = Response::new(Frames(frames.into_iter()));
                    response
                        .headers_mut()
                        .insert("content-type", HeaderValue::from_static("application/grpc"));
                    Ok::<_, Infallible>(response)
                });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// Frames that are there at once.
struct Frames(std::array::IntoIter<Frame<Bytes>, 2>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

#[tokio::test]
async fn trailers_pass_and_own_errors_are_statuses_of_grpc() {
    let one = server().await;
    let dead: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let method = |service: &str, name: &str| {
        format!(
            "{{matches: [{{method: {{service: {service}}}}}], backendRefs: [{{name: {name}, port: 80}}]}}"
        )
    };
    let rules = [
        method("a.One", "one"),
        method("a.Dead", "dead"),
        method("a.Gone", "gone"),
        method("a.Empty", "empty"),
    ]
    .join(", ");
    let route = format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {{name: main, namespace: app}}\nspec:\n  \
         parentRefs: [{{name: gw, namespace: infra}}]\n  hostnames: [a.test]\n  rules: [{rules}]\n"
    );
    let text = format!(
        "{GATEWAY}{route}{}{}{}",
        service("one", "", &[one]),
        service("dead", "", &[dead]),
        service("empty", "", &[])
    );
    let running = Running::start(&text).await;
    let stream = TcpStream::connect(("127.0.0.1", running.port))
        .await
        .expect("connected");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("h2");
    tokio::spawn(connection);
    for (path, code) in [
        ("/a.One/Say", "0"),
        ("/a.Dead/Say", "14"),
        ("/a.Gone/Say", "14"),
        ("/a.Empty/Say", "14"),
        ("/a.Other/Say", "12"),
    ] {
        let request = Request::post(format!("http://a.test{path}"))
            .header("content-type", "application/grpc+proto")
            .header("te", "trailers")
            .body(Full::new(Bytes::from("message")))
            .expect("sound");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "application/grpc",
            "{path}"
        );
        let head = response.headers().get("grpc-status").cloned();
        let whole = response.into_body().collect().await.expect("whole");
        let trailer = whole
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status"))
            .cloned();
        assert_eq!(head.or(trailer).expect("a status"), code, "{path}");
        assert_eq!(whole.to_bytes(), if code == "0" { "message" } else { "" });
    }
}
