/** A dynamic provider that does nothing. */
export const provider = {
  create: async (inputs) => ({ id: inputs.name, outs: inputs }),
  diff: async (_id, olds, news) => ({ changes: JSON.stringify(olds) !== JSON.stringify(news) }),
  read: async (id, props) => ({ id, props }),
};

export const outputs = {};
