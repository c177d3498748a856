import type { buildConnector } from 'undici';

/** The error of a connection that is not made, with the code of the system for the same. */
class OutOfFilesError extends Error {
  readonly code = 'EMFILE';
  constructor() {
    super('This process keeps its last files for other things than sockets.');
  }
}

/**
 * Bounds the sockets that connectors have open together, below the limit of the system. At that limit it is not only a
 * connection that fails: Node ends the process where a script with a time limit finds no file for its watchdog, as each
 * workflow task of Temporal is one.
 */
export function createSocketLimit(
  most: number,
): (connect: buildConnector.connector) => buildConnector.connector {
  let open = 0;
  return (connect) => (options, callback) => {
    if (open >= most) {
      callback(new OutOfFilesError(), null);
      return;
    }
    open += 1;
    let counted = true;
    const closed = () => {
      if (counted) open -= 1;
      counted = false;
    };
    try {
      connect(options, (...[error, socket]) => {
        if (error !== null) {
          closed();
          callback(error, null);
          return;
        }
        socket.once('close', closed);
        callback(null, socket);
      });
    } catch (error) {
      // Certificates that this OpenSSL refuses: nothing was opened.
      closed();
      throw error;
    }
  };
}
