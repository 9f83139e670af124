// Uses the service from a page of another origin: uploads with progress, follows the events, and downloads.
async function useService(url, { id, token }, bytes) {
  const seen = { errors: [] };
  const headers = { Authorization: `Bearer ${token}` };
  const form = new FormData();
  form.append("wav_file", new Blob([new Uint8Array(bytes)]), "far.wav");
  const upload = new XMLHttpRequest();
  upload.open("POST", `${url}/record?user_id=${id}`);
  upload.setRequestHeader("Authorization", headers.Authorization);
  upload.upload.onprogress = ({ loaded, total }) => (seen.uploaded = loaded / total);
  await new Promise((resolve) => {
    upload.onloadend = resolve;
    upload.send(form);
  });
  seen.status = upload.status;
  const location = upload.getResponseHeader("Location");
  seen.events = await new Promise((resolve) => {
    const names = [];
    const source = new EventSource(`${location}/events`);
    for (const name of ["queued", "converting", "done", "failed"]) {
      source.addEventListener(name, () => {
        names.push(name);
        if (name === "done" || name === "failed") resolve(names);
      });
    }
    source.onerror = () => source.readyState === EventSource.CLOSED && resolve(names);
  });
  const shown = await fetch(location, { headers: { ...headers, Prefer: "wait=5" } });
  seen.preference = shown.headers.get("Preference-Applied");
  const record = await shown.json();
  const mp3 = await fetch(record.download_link, { headers: { Range: "bytes=0-2" } });
  seen.mp3 = [mp3.status, await mp3.text(), mp3.headers.get("Content-Disposition"), mp3.headers.get("ETag")];
  const waveform = await fetch(`${location}/waveform`);
  seen.waveform = (await waveform.json()).version;
  for (const [path, options] of [["/nothing", {}], ["/records", {}], ["/users", { method: "POST", body: "x" }]]) {
    const answer = await fetch(url + path, options);
    seen.errors.push((await answer.json()).code);
  }
  seen.deleted = (await fetch(location, { method: "DELETE", headers })).status;
  return seen;
}
