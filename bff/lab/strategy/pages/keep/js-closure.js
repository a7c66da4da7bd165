// A closure: nothing refers to the variable but the three functions, and nothing
// refers to those but the module that asked for them. Another script may import
// this one again, and gets an empty closure of its own.
export const keeper = () => {
  let kept = null;
  return {
    save: async (tokens) => { kept = tokens; },
    load: async () => kept,
    forget: async () => { kept = null; },
  };
};
