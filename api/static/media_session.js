// Connects the player with the media keys and the controls of the system.

const stepOf = ({ seekOffset = 10 }) => seekOffset;

export function startMediaSession(audio, title, { skip, seekBy }) {
  const session = navigator.mediaSession;
  if (!session) return;
  const actions = {
    play: () => audio.play(),
    pause: () => audio.pause(),
    previoustrack: () => skip(-1),
    nexttrack: () => skip(1),
    seekbackward: (details) => seekBy(-stepOf(details)),
    seekforward: (details) => seekBy(stepOf(details)),
    seekto: ({ seekTime }) => (audio.currentTime = seekTime),
  };
  for (const [name, action] of Object.entries(actions)) session.setActionHandler(name, action);
  audio.addEventListener("play", () => (session.metadata = new MediaMetadata({ title: title(), artist: "wav2mp3" })));
  audio.addEventListener("timeupdate", () => {
    if (!Number.isFinite(audio.duration)) return;
    const { duration, currentTime: position, playbackRate } = audio;
    session.setPositionState({ duration, position: Math.min(position, duration), playbackRate });
  });
}
