// The search of the site runs in a worker, and browsers start none for a page that is opened
// as a file. There its script runs in a hidden frame instead. Messages are copies, and come
// later, as those of a worker do.
if (location.protocol === 'file:') {
  const send = (data, receiver) => {
    const copy = structuredClone(data);
    setTimeout(() => receiver.onmessage?.({ data: copy }));
  };
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement('iframe');
      this.frame.hidden = true;
      document.body.append(this.frame);
      this.inside = this.frame.contentWindow;
      this.inside.postMessage = (data) => send(data, this);
      const script = this.inside.document.createElement('script');
      script.src = url;
      this.ready = new Promise((resolve) => script.addEventListener('load', resolve));
      this.inside.document.body.append(script);
    }

    postMessage(data) {
      this.ready.then(() => send(data, this.inside));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
