// Follows the events at `url` with the EventSource of this browser or of Node. Resolves to what it received when the
// service ends the stream for good. After the first event, deletes the record at `deleteUrl` if there is one.
function follow(url, deleteUrl) {
  return new Promise((resolve) => {
    const source = new EventSource(url);
    const seen = { events: [], connections: 0 };
    const statuses = ["uploading", "queued", "converting", "done", "failed", "deleted", "expired"];
    for (const status of [...statuses, "message"]) {
      source.addEventListener(status, (event) => {
        seen.events.push([event.type, event.lastEventId, JSON.parse(event.data).status]);
        if (deleteUrl && seen.events.length === 1) fetch(deleteUrl, { method: "DELETE" });
      });
    }
    source.addEventListener("open", () => (seen.connections += 1));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) resolve(seen);
    });
  });
}

if (typeof process !== "undefined") {
  // Node does not wait for an EventSource that is about to connect again.
  const alive = setInterval(() => {}, 1000);
  follow(...process.argv.slice(2)).then((seen) => {
    console.log(JSON.stringify(seen));
    clearInterval(alive);
  });
}
