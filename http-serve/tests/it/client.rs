//! A client that is as rude as a test wants.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_serve::{Body, Limits, Server};

/// Long enough that only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A deadline that a test waits for.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn serve(
    limits: Limits,
    handler: impl Fn(Request<Vec<u8>>) -> Response<Body> + Send + Sync + 'static,
) -> Server {
    let bound = Server::bind(loopback(), limits).unwrap();
    bound.serve(Arc::new(handler)).unwrap()
}

/// Answers with the method, the path and the body of the request.
pub(crate) fn echo(request: Request<Vec<u8>>) -> Response<Body> {
    let mut text = format!("{} {} ", request.method(), request.uri()).into_bytes();
    text.extend_from_slice(request.body());
    Response::new(Body::from(text))
}

pub(crate) fn stream(reader: impl Read + Send + 'static, length: Option<u64>) -> Response<Body> {
    Response::new(Body::Stream {
        reader: Box::new(reader),
        length,
    })
}

/// A connection over any stream.
pub(crate) struct Client<S: Read + Write = TcpStream>(pub(crate) BufReader<S>);

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(server: &Server) -> Self {
        Self::connect_to(server.local_addr())
    }

    pub(crate) fn connect_to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends bytes one by one with pauses until the server has something to
    /// say or closes. How many it took, or `None` when it took them all.
    pub(crate) fn drip(&mut self, bytes: impl IntoIterator<Item = u8>) -> Option<usize> {
        let stream = self.0.get_ref().try_clone().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        let mut taken = None;
        for (count, byte) in bytes.into_iter().enumerate() {
            if (&stream).write_all(&[byte]).is_err() || stream.peek(&mut [0]).is_ok() {
                taken = Some(count);
                break;
            }
        }
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        taken
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
        self.0.get_mut().flush().unwrap();
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        self.answer().unwrap()
    }

    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut answer = self.head()?;
        answer.body = self.body(&answer)?;
        Ok(answer)
    }

    /// The status and the headers alone.
    pub(crate) fn head(&mut self) -> io::Result<Answer> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Ok(Answer {
            status,
            headers,
            body: Vec::new(),
        })
    }

    fn body(&mut self, head: &Answer) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if let Some(length) = head.header("content-length") {
            body.resize(length.parse().unwrap(), 0);
            self.0.read_exact(&mut body)?;
        } else if head.header("transfer-encoding") == Some("chunked") {
            while self.chunk(&mut body)? {}
        } else if head.status != 204 && head.status != 304 {
            self.0.read_to_end(&mut body)?;
        }
        Ok(body)
    }

    /// Appends a chunk. Whether there may be another.
    pub(crate) fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let size = usize::from_str_radix(&self.line()?, 16).unwrap();
        let start = body.len();
        body.resize(start + size, 0);
        self.0.read_exact(&mut body[start..])?;
        assert_eq!(self.line()?, "");
        Ok(size > 0)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n");
        line.map(str::to_owned)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Whether the server closes the connection without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
