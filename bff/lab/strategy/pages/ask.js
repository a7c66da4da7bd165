// How a page asks its worker to do something: one channel for each question. What is told travels by no other way, so it
// is for nobody else (BBA-55).
export const ask = (worker, what, ...values) => new Promise((resolve, reject) => {
  const {port1, port2} = new MessageChannel();
  port1.onmessage = ({data}) => {
    port1.close();
    if (data.problem) reject(new Error(data.problem));
    else resolve(data.value);
  };
  worker.postMessage({what, values}, [port2]);
});

// answers has a worker's services do what is asked for.
export const answers = (services) => async ({data: {what, values}, ports: [port]}) => {
  try {
    port.postMessage({value: await services[what](...values)});
  } catch (problem) {
    port.postMessage({problem: String(problem)});
  }
};
